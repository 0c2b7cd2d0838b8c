using System.Reflection;
using Azure;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using OpenTelemetry;

namespace Marketplace.Functions.Maintenance;

/// <summary>Whether storage answers; the platform's health probe.</summary>
public static class Health
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private static readonly string Version =
        typeof(Health).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static async Task<Results<Ok<HealthView>, JsonHttpResult<HealthView>>> Handle(MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        // Probes come several times a minute from each instance.
        using var silent = SuppressInstrumentationScope.Begin();
        try
        {
            await storage.PingAsync(patience.Token);
            return TypedResults.Ok(new HealthView("ok", Version));
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return TypedResults.Json(new HealthView("unavailable", Version), statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }
}

using System.Text.RegularExpressions;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.Features;

namespace Marketplace.Functions.Http;

/// <summary>
/// Leaves an audit event for every write that succeeded, so that no function can forget to: where the handler has written a better one itself, that is it. The event is written before the answer's first
/// byte, so that nobody is told of a write that the audit does not know; a process that ends between the two has told nobody, and who asks again leaves the event then.
/// </summary>
public sealed partial class Auditing(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext context, MarketplaceStorage storage, TimeProvider time)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<HttpFunction>() is not { Writes: true } function)
        {
            await next(context);
            return;
        }

        var caller = context.Features.GetRequiredFeature<Requester>().Caller;
        using var scope = AuditScope.Begin(caller.Via);
        context.Response.OnStarting(async () =>
        {
            if (context.Response.StatusCode >= StatusCodes.Status400BadRequest || scope.Written || scope.Idle)
                return;
            var made = Made(context.Response.Headers.Location);
            var subject = scope.Subject ?? Subject(context) ?? made ?? function.Name;
            await storage.Audit.WriteAsync(
                new AuditEvent(time.GetUtcNow(), caller.Owner ?? AuditLog.Service, Action(function.Name), subject, scope.Detail ?? (made == subject ? null : made), caller.Via), ct: CancellationToken.None);
        });
        await next(context);
    }

    /// <summary>Runs a function that no request called; it leaves an event unless the handler wrote one or had nothing to do.</summary>
    internal static async Task RunAsync(IServiceProvider services, string function, string via, string subject, Func<Task> handle, CancellationToken cancellationToken)
    {
        using var scope = AuditScope.Begin(via);
        await handle();
        if (scope.Written || scope.Idle)
            return;
        await services.GetRequiredService<MarketplaceStorage>().Audit.WriteAsync(
            new AuditEvent(services.GetRequiredService<TimeProvider>().GetUtcNow(), AuditLog.Service, Action(function), scope.Subject ?? subject, scope.Detail), ct: cancellationToken);
    }

    /// <summary>The action that a function's name stands for: <c>SetTag</c> is <c>set-tag</c>.</summary>
    internal static string Action(string function) => Words().Replace(function, "-$0").ToLowerInvariant();

    // owner/name, with a tag owner/name#tag; an account, with an identity account#ID; uploads/ID, jobs/ID. Only what the route names: values of queries and bodies may be anything.
    private static string? Subject(HttpContext context)
    {
        var values = context.Request.RouteValues;
        if (values["owner"] is string owner && values["name"] is string name)
            return values["tag"] is string tag ? $"{owner}/{name}#{tag}" : $"{owner}/{name}";
        if (values["owner"] is string account)
            return values["objectId"] is string identity ? $"{account}#{identity}" : account;
        return values["id"] is string id ? $"{context.Request.Path.Value![FunctionTable.RoutePrefix.Length..].Split('/')[1]}/{id}" : null;
    }

    // What the answer says was made.
    private static string? Made(string? location) =>
        location?.StartsWith(FunctionTable.RoutePrefix + "/", StringComparison.Ordinal) == true ? location[(FunctionTable.RoutePrefix.Length + 1)..] : null;

    [GeneratedRegex("(?<!^)[A-Z]")]
    private static partial Regex Words();
}

using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Azure.Functions.Worker.Core.FunctionMetadata;
using Microsoft.Azure.Functions.Worker.Invocation;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;

namespace Marketplace.Functions.Hosting.Worker;

/// <summary>The function app as an isolated worker of Azure Functions: the host owns routes, queues and timers, and calls the table's functions here.</summary>
public static class WorkerHost
{
    /// <summary>Builds the worker. Settings: those of the standalone host, and <c>AzureWebJobsStorage</c> for the host's queues and timers.</summary>
    public static IHost Build(string[] args)
    {
        var builder = FunctionsApplication.CreateBuilder(args);
        builder.ConfigureFunctionsWebApplication();
        builder.Services.Configure<KestrelServerOptions>(o => o.Limits.MaxRequestBodySize = StandaloneHost.MaxBody);
        StandaloneHost.AddMarketplace(builder.Services, builder.Configuration);
        builder.Services.AddOpenTelemetry().UseFunctionsWorkerDefaults();

        // The last registration wins: over what the SDK generates from attributes, of which the app has none.
        builder.Services.AddSingleton<IFunctionMetadataProvider, TableMetadata>();
        builder.Services.AddSingleton<IFunctionExecutor, TableExecutor>();
        builder.Services.AddSingleton<RunningHandlers>();
        builder.Services.AddHostedService(services => services.GetRequiredService<RunningHandlers>());
        return builder.Build();
    }
}

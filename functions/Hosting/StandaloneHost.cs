using Marketplace.Core.Api;
using Marketplace.Functions.BaseModels;
using Marketplace.Functions.Clusterings;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Functions.Routers;
using Marketplace.Functions.Subtractions;
using Marketplace.Functions.Uploads;
using Marketplace.Storage;
using Marketplace.Storage.Hosting;
using Marketplace.Storage.Jobs;
using Marketplace.Storage.Telemetry;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hosting;

/// <summary>The function app as a plain process: Kestrel for the routes, hosted services for queues and timers.</summary>
public static class StandaloneHost
{
    /// <summary>Bodies of the API are small JSON; files go to storage by their own addresses.</summary>
    private const long MaxBody = 1 << 20;

    /// <summary>Builds the host. Settings: sections <c>Storage</c> and <c>Marketplace</c>, <c>ASPNETCORE_URLS</c>.</summary>
    public static WebApplication Build(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.WebHost.ConfigureKestrel(o => o.Limits.MaxRequestBodySize = MaxBody);
        builder.Logging.AddMarketplaceConsole(builder.Configuration);
        AddMarketplace(builder.Services, builder.Configuration);
        builder.Services.AddHostedService<Preparation>();
        builder.Services.AddHostedService<QueueTriggers>();
        builder.Services.AddHostedService<TimerTriggers>();
        builder.Services.AddParentWatch(builder.Configuration);

        var app = builder.Build();
        UseMarketplace(app);
        return app;
    }

    /// <summary>Registers what the functions need, whichever host runs them.</summary>
    public static void AddMarketplace(IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<MarketplaceOptions>().BindConfiguration("Marketplace").ValidateDataAnnotations().ValidateOnStart();
        services.AddMarketplaceStorage(configuration);
        services.AddMarketplaceTelemetry(configuration, TelemetryServices.Functions);
        services.AddSingleton<IProblemDetailsService, ProblemCounter>();
        services.AddJobs();
        services.AddSingleton<JobRequests>();
        services.AddSingleton<CopyDetection>();
        services.AddSingleton<UploadValidation>();
        services.AddSingleton<BaseModelValidation>();
        services.AddSingleton<RunSubtraction>();
        services.AddSingleton<RankedExports>();
        services.AddSingleton<LibraryComparison>();
        services.AddSingleton<RunClustering>();
        services.AddSingleton<PublishedPrototypes>();
        services.AddSingleton<RunRouterExport>();
        services.ConfigureHttpJsonOptions(o => ApiJson.Configure(o.SerializerOptions));
        services.Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = true);
        services.Configure<RouteOptions>(o => o.LowercaseUrls = false);
        services.AddOpenApi("v1", OpenApiDocument.Configure);
    }

    /// <summary>Puts the pipeline and the table's routes into <paramref name="app"/>.</summary>
    public static void UseMarketplace(WebApplication app)
    {
        app.UseMiddleware<ProblemMiddleware>();
        app.UseRouting();
        app.UseMiddleware<Authentication>();
        app.MapOpenApi("/openapi/{documentName}.json");
        foreach (var function in FunctionTable.Http)
        {
            app.MapMethods(FunctionTable.RoutePrefix + function.Route, [function.Method], function.Handler)
                .WithName(function.Name).WithSummary(function.Summary).WithMetadata(function);
        }
    }

    /// <summary>Makes containers, tables and queues, and the first admin key, before anything is served.</summary>
    private sealed class Preparation(MarketplaceStorage storage, IOptions<MarketplaceOptions> options) : IHostedLifecycleService
    {
        private const string AdminOwner = "admin";

        public async Task StartingAsync(CancellationToken cancellationToken)
        {
            await storage.CreateAllAsync(cancellationToken);
            if (options.Value.AdminKey is { Length: > 0 } token)
                await storage.Keys.EnsureAsync(token, AdminOwner, KeyScope.Admin, cancellationToken);
        }

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

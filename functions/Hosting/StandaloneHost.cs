using Marketplace.Core.Api;
using Marketplace.Functions.BaseModels;
using Marketplace.Functions.Clusterings;
using Marketplace.Functions.Http;
using Marketplace.Functions.Hub;
using Marketplace.Functions.Hub.Commits;
using Marketplace.Functions.Jobs;
using Marketplace.Functions.Routers;
using Marketplace.Functions.Subtractions;
using Marketplace.Functions.Uploads;
using Marketplace.Storage;
using Marketplace.Storage.Hosting;
using Marketplace.Storage.Jobs;
using Marketplace.Storage.Telemetry;

namespace Marketplace.Functions.Hosting;

/// <summary>The function app as a plain process: Kestrel for the routes, hosted services for queues and timers.</summary>
public static class StandaloneHost
{
    /// <summary>Bodies of the API are small JSON; files go to storage by their own addresses.</summary>
    internal const long MaxBody = 1 << 20;

    /// <summary>Route pattern of the OpenAPI documents.</summary>
    internal const string OpenApiRoute = "/openapi/{documentName}.json";

    /// <summary>Builds the host. Settings: sections <c>Storage</c> and <c>Marketplace</c>, <c>ASPNETCORE_URLS</c>.</summary>
    public static WebApplication Build(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.WebHost.ConfigureKestrel(o => o.Limits.MaxRequestBodySize = MaxBody);
        builder.Logging.AddMarketplaceConsole(builder.Configuration);
        AddMarketplace(builder.Services, builder.Configuration);
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
        services.AddLogging(logging => logging.AddMarketplaceFilters());
        services.AddHostedService<Preparation>();
        services.AddMarketplaceStorage(configuration);
        services.AddMarketplaceTelemetry(configuration, TelemetryServices.Functions);
        services.AddSingleton<IProblemDetailsService, ProblemCounter>();
        services.AddCallers(configuration);
        services.AddJobs();
        services.AddSingleton<JobRequests>();
        services.AddSingleton<HubRepositories>();
        services.AddHubReading();
        services.AddSingleton<HubCommits>();
        services.AddSingleton<HubVerdicts>();
        services.AddSingleton<CommitBytes>();
        services.AddSingleton<HubAddress>();
        services.AddSingleton<CopyDetection>();
        services.AddSingleton<UploadValidation>();
        services.AddSingleton<BaseModelValidation>();
        services.AddSingleton<UploadDecision>();
        services.AddSingleton<RunSubtraction>();
        services.AddSingleton<RankedExports>();
        services.AddSingleton<ServingExports>();
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
    public static void UseMarketplace(IApplicationBuilder app)
    {
        app.UseMiddleware<ProblemMiddleware>();
        app.UseRouting();
        app.UseMiddleware<BodyLimits>();
        app.UseMiddleware<Authentication>();
        app.UseMiddleware<Auditing>();
        app.UseEndpoints(MapTable);
    }

    private static void MapTable(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapOpenApi(OpenApiRoute);
        foreach (var function in FunctionTable.Routed)
        {
            var endpoint = endpoints.MapMethods(function.Pattern, function.Methods, function.Handler).WithName(function.Name).WithSummary(function.Summary).WithMetadata(function);
            if (function.Hub)
                endpoint.ExcludeFromDescription();
        }
    }
}

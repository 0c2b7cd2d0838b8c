using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Marketplace.Storage.Jobs;

/// <summary>Registers what both processes need to run jobs.</summary>
public static class JobServices
{
    /// <summary>Adds the job runner, the content cache, the reader of published adapters and the way derived ones are published.</summary>
    public static IServiceCollection AddJobs(this IServiceCollection services)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(provider => new ContentCache(
            provider.GetRequiredService<MarketplaceStorage>().Content,
            Path.Combine(Path.GetTempPath(), $"marketplace-content-{Environment.UserName}"), provider.GetRequiredService<StorageOptions>().LocalCacheBytes));
        services.AddSingleton(provider => new BaseModelFiles(
            provider.GetRequiredService<MarketplaceStorage>().Registrations, provider.GetRequiredService<MarketplaceStorage>().Content,
            provider.GetService<BaseWeightsFolder>() ?? new(null), Path.Combine(Path.GetTempPath(), $"marketplace-base-models-{Environment.UserName}"),
            provider.GetRequiredService<StorageOptions>().LocalModelBytes));
        services.AddSingleton<LibraryReader>();
        services.AddSingleton<AdapterAnalyses>();
        services.AddSingleton<LibrarySketches>();
        services.AddSingleton<ArrivalPlacement>();
        services.AddSingleton<LibrarySearch>();
        services.AddSingleton<AdapterPublisher>();
        services.AddSingleton<Derivation>();
        services.AddSingleton<CollectionDerivation>();
        services.AddSingleton(provider => new JobRunner(
            provider.GetRequiredService<MarketplaceStorage>().Jobs, provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>().CreateLogger<JobRunner>()));
        return services;
    }
}

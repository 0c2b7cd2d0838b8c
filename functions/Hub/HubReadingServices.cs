namespace Marketplace.Functions.Hub;

/// <summary>Registration of what the reading routes need.</summary>
internal static class HubReadingServices
{
    /// <summary>Registers <see cref="HubReader"/> with everything that it reads through.</summary>
    public static IServiceCollection AddHubReading(this IServiceCollection services)
    {
        services.AddSingleton<HubContents>();
        services.AddSingleton<HubConfigs>();
        services.AddSingleton<HubVersions>();
        services.AddSingleton<HubVariants>();
        services.AddSingleton<HubCollections>();
        services.AddSingleton<HubHistory>();
        services.AddSingleton<HubReader>();
        return services;
    }
}

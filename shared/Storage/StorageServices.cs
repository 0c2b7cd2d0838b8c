using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Marketplace.Storage;

/// <summary>Registration of the stores.</summary>
public static class StorageServices
{
    /// <summary>Registers <see cref="MarketplaceStorage"/> and <see cref="StorageOptions"/>, bound from the section <c>Storage</c> (quotas from <c>Marketplace:Limits</c>).</summary>
    public static IServiceCollection AddMarketplaceStorage(this IServiceCollection services, IConfiguration configuration)
    {
        services.Configure<StorageOptions>(configuration.GetSection(StorageOptions.Section));
        // The kernels publish too, and know the rest of that section as little as this does.
        services.Configure<StorageOptions>(options => configuration.GetSection(Quotas.Section).Bind(options.Quotas));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<StorageOptions>>().Value);
        services.AddSingleton(provider => new MarketplaceStorage(
            provider.GetRequiredService<StorageOptions>(), provider.GetService<TimeProvider>()));
        return services;
    }
}

namespace Marketplace.Functions.Http;

/// <summary>Registration of what finds callers and holds them to their limits.</summary>
internal static class CallerServices
{
    /// <summary>Registers <see cref="Authenticator"/> and <see cref="RateLimits"/> with what they need.</summary>
    public static IServiceCollection AddCallers(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<EntraOptions>().Bind(configuration.GetSection(EntraOptions.Section)).ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<RateLimitOptions>().Bind(configuration.GetSection(RateLimitOptions.Section)).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<EntraIssuer>();
        services.AddSingleton<EntraTokens>();
        services.AddSingleton<KeyUses>();
        services.AddSingleton<Authenticator>();
        services.AddSingleton<RateLimits>();
        return services;
    }
}

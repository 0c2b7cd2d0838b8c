using Marketplace.Storage;

namespace Marketplace.Functions.Accounts;

/// <summary>Makes what accounts are charged agree with what they have published.</summary>
public static class RecountUsage
{
    public static async Task Handle(IServiceProvider services, CancellationToken cancellationToken)
    {
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var accounts = await services.GetRequiredService<MarketplaceStorage>().Recount.RunAsync(now, cancellationToken);
        services.GetRequiredService<ILoggerFactory>().CreateLogger(nameof(RecountUsage)).LogInformation("Recounted {Accounts} accounts", accounts);
    }
}

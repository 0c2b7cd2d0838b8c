using Marketplace.Storage;

namespace Marketplace.Functions.Accounts;

/// <summary>Makes what accounts are charged agree with what they have published.</summary>
public static class RecountUsage
{
    public static async Task Handle(IServiceProvider services, CancellationToken cancellationToken)
    {
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var (accounts, corrected) = await services.GetRequiredService<MarketplaceStorage>().Recount.RunAsync(now, cancellationToken);
        if (corrected == 0)
            AuditScope.NothingDone();
        else
            AuditScope.About("accounts", $"{corrected} charges put right");
        services.GetRequiredService<ILoggerFactory>().CreateLogger(nameof(RecountUsage)).LogInformation("Recounted {Accounts} accounts, {Corrected} charges were not right", accounts, corrected);
    }
}

using Marketplace.Storage;

namespace Marketplace.Functions.Maintenance;

/// <summary>Removes what crashed or abandoned uploads left behind.</summary>
public static class SweepStorage
{
    public static async Task Handle(IServiceProvider services, CancellationToken cancellationToken)
    {
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var swept = await services.GetRequiredService<MarketplaceStorage>().Sweep.SweepAsync(now, cancellationToken);
        services.GetRequiredService<ILoggerFactory>().CreateLogger(nameof(Sweep)).LogInformation(
            "Swept {ExpiredUploads} uploads, {StagedFiles} staged files, {ContentBlobs} contents", swept.ExpiredUploads, swept.StagedFiles, swept.ContentBlobs);
    }
}

using Marketplace.Storage;

namespace Marketplace.Functions.Maintenance;

/// <summary>Removes what crashed or abandoned uploads left behind.</summary>
public static class SweepStorage
{
    public static async Task Handle(IServiceProvider services, CancellationToken cancellationToken)
    {
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var storage = services.GetRequiredService<MarketplaceStorage>();
        var swept = await storage.Sweep.SweepAsync(now, cancellationToken);
        var done = Summary(swept);
        if (done.Length == 0)
            AuditScope.NothingDone();
        else
            await storage.Audit.WriteAsync(new AuditEvent(now, AuditLog.Service, "sweep", "storage", done), ct: cancellationToken);
        services.GetRequiredService<ILoggerFactory>().CreateLogger(nameof(Sweep)).LogInformation(
            "Swept {ExpiredUploads} uploads, {StagedFiles} staged files, {ContentBlobs} contents", swept.ExpiredUploads, swept.StagedFiles, swept.ContentBlobs);
    }

    // Messages sent again are nothing that was removed.
    private static string Summary(SweepResult swept) => string.Join(", ", new (string What, int Count)[]
    {
        ("expired uploads", swept.ExpiredUploads), ("staged files", swept.StagedFiles), ("contents", swept.ContentBlobs), ("derived sets", swept.DerivedSets),
        ("library states", swept.LibraryStates), ("collection bodies", swept.CollectionBodies), ("predictions", swept.Predictions),
        ("finished takedowns", swept.FinishedTakedowns), ("purged adapters", swept.PurgedAdapters), ("audit events", swept.AuditEvents),
        ("finished deletions", swept.FinishedDeletions), ("objects of Git LFS", swept.LfsObjects),
    }.Where(s => s.Count > 0).Select(s => $"{s.What}: {s.Count}"));
}

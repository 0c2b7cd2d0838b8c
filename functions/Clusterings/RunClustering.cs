using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Clusterings;

/// <summary>Clusters a library (MBC) and stores the outcome as a snapshot.</summary>
public sealed class RunClustering(MarketplaceStorage storage, LibraryComparison comparison)
{
    internal async Task<string> RunAsync(JobRecord job, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        var request = ClusteringJobRequest.Parse(job.RequestJson);
        if (!Text.TryParse<AdapterSimilarity>(request.Similarity, out var similarity))
            throw new JobFailureException("internal-error", $"'{request.Similarity}' is not a similarity.");
        if (await storage.Libraries.ReadStateAsync(Digest.Parse(request.Library), cancellationToken) is not { } state)
            throw new JobFailureException("input-gone", "The state of the library that was to be clustered is no longer stored.");
        var members = JsonSerializer.Deserialize<List<ResolvedInput>>(state, ApiJson.Options)!;

        var library = await comparison.CompareAsync(request, similarity, members, progress, cancellationToken);
        var count = library.Selection.Compared.Length;
        if (request.K > count)
            throw new JobFailureException("not-comparable", $"{count} members can be compared, fewer than the {request.K} clusters asked for.");

        // The snapshot is named after its job, and is as old: a repeated delivery writes the same one again.
        var (id, owner) = (job.Id[..32], request.Scope == RequestClustering.PublicScope ? null : request.Scope);
        var previous = await PreviousAsync(request, owner, job.CreatedAt, cancellationToken);
        var (view, placement) = await Task.Run(
            () =>
            {
                var (clustering, curve) = Cluster(request, library.Library, progress, cancellationToken);
                progress.Report(members.Count, members.Count, "snapshot", 0.95);
                return SnapshotComposition.Compose(id, job.CreatedAt, request, similarity, members, library, clustering, curve, previous);
            },
            cancellationToken);
        await storage.Libraries.AddSnapshotAsync(
            new ClusterSnapshot(
                id, request.BaseModel, owner, job.CreatedAt, job.Id, JsonSerializer.Serialize(view, ApiJson.Options), request.Similarity, SnapshotComposition.Summary(view)),
            placement, cancellationToken);
        return JsonSerializer.Serialize(new ClusteringResult(id), ApiJson.Options);
    }

    private static (Clustering Clustering, IReadOnlyList<CurvePoint> Curve) Cluster(
        ClusteringJobRequest request, MbcEmbedding library, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        if (request.K is not { } k)
            return Mbc.Choose(library, tried: Report);
        progress.Report(0, 1, "k-means", 0.8);
        return (Mbc.Run(library, k), []);

        void Report(int done, int most)
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress.Report(done, most, "numbers of clusters", 0.8 + (0.15 * done / most));
        }
    }

    private async Task<PreviousSnapshot?> PreviousAsync(ClusteringJobRequest request, string? owner, DateTimeOffset before, CancellationToken cancellationToken)
    {
        if (await storage.Libraries.NewestSnapshotAsync(request.BaseModel, owner, request.Similarity, before, cancellationToken) is not { } newest)
            return null;
        var caller = owner is null ? Caller.Anonymous : new Caller(owner, KeyScope.Read);
        return await storage.Libraries.GetSnapshotAsync(newest.Id, caller, cancellationToken) is { } snapshot
            ? new(GetClustering.View(snapshot), await storage.Libraries.ReadPlacementAsync(newest.Id, cancellationToken))
            : null;
    }
}

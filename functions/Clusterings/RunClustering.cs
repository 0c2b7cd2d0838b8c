using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Clusterings;

/// <summary>Clusters a library (MBC) and stores the outcome as a snapshot.</summary>
public sealed class RunClustering(MarketplaceStorage storage, LibraryReader reader, TimeProvider time)
{
    internal async Task<string> RunAsync(JobRecord job, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        var request = ClusteringJobRequest.Parse(job.RequestJson);
        if (!Text.TryParse<AdapterSimilarity>(request.Similarity, out var similarity))
            throw new JobFailureException("internal-error", $"'{request.Similarity}' is not a similarity.");

        using var adapters = new OpenAdapters();
        foreach (var (member, index) in request.Members.Select((member, index) => (member, index)))
        {
            progress.Report(index, request.Members.Length + 1, member.Adapter);
            adapters.Add(await reader.OpenAsync(member, cancellationToken));
        }

        progress.Report(request.Members.Length, request.Members.Length + 1, "similarities");
        var (members, cosines, excluded) = Compare(request, adapters, similarity);
        if (members.Count == 0)
            throw new JobFailureException("not-comparable", "No member of the library can be compared: " + string.Join(' ', excluded.Select(e => e.Reason)));
        if (request.K > members.Count)
            throw new JobFailureException("not-comparable", $"{members.Count} members can be compared, fewer than the {request.K} clusters asked for.");
        var clustering = request.K is { } k ? Mbc.Run(cosines, k) : Mbc.RunWithBestSilhouette(cosines);

        // The snapshot is named after its job: a repeated delivery writes the same one again.
        var id = job.Id[..32];
        var view = new ClusterSnapshotView(
            id, request.BaseModel, request.Similarity, request.Scope, clustering.Clusters.Length, clustering.Silhouette, clustering.Inertia, job.CreatedAt,
            [.. clustering.Clusters.Select((cluster, number) => View(cluster, number, members, cosines))], excluded);
        var owner = request.Scope == RequestClustering.PublicScope ? null : request.Scope;
        await storage.Libraries.AddSnapshotAsync(
            new ClusterSnapshot(id, request.BaseModel, owner, time.GetUtcNow(), job.Id, JsonSerializer.Serialize(view, ApiJson.Options)), cancellationToken);
        return JsonSerializer.Serialize(new ClusteringResult(id), ApiJson.Options);
    }

    // Members that can't be compared are left out by name; the others still form a library.
    private static (List<ResolvedInput> Members, Matrix Cosines, List<ExcludedView> Excluded) Compare(
        ClusteringJobRequest request, OpenAdapters adapters, AdapterSimilarity similarity)
    {
        var members = request.Members.Zip(adapters).ToList();
        var excluded = new List<ExcludedView>();
        Exclude(i => Gram.Of([members[i].Second]).Norm(0) == 0 ? "It changes nothing: all its ΔW are zero, so it has no direction to compare." : null);
        while (members.Count > 0)
        {
            if (Similarities.TryCompute([.. members.Select(m => m.Second)], similarity, out var cosines, out var problems))
                return ([.. members.Select(m => m.First)], cosines, excluded);
            var reasons = problems.Where(p => p.Input is not null).ToLookup(p => p.Input!.Value, p => p.Message);
            if (reasons.Count == 0)
                throw new JobFailureException("not-comparable", string.Join(' ', problems.Select(p => p.Message)));
            Exclude(i => reasons.Contains(i) ? string.Join(' ', reasons[i]) : null);
        }

        return ([], new Matrix(0, 0), excluded);

        void Exclude(Func<int, string?> reason)
        {
            var found = Enumerable.Range(0, members.Count).Select(i => (Member: members[i], Reason: reason(i))).ToList();
            excluded.AddRange(found.Where(f => f.Reason is not null).Select(f => new ExcludedView(Reference(f.Member.First), f.Reason!)));
            members = [.. found.Where(f => f.Reason is null).Select(f => f.Member)];
        }
    }

    private static ClusterView View(Cluster cluster, int number, List<ResolvedInput> members, Matrix cosines) => new(
        $"c{number}",
        Reference(members[cluster.Medoid]),
        [.. cluster.Members.Select(i => new ClusterMemberView(Reference(members[i]), cosines[i, cluster.Medoid]))]);

    private static VersionReference Reference(ResolvedInput member) => new(member.Adapter, member.Number, member.VersionId);
}

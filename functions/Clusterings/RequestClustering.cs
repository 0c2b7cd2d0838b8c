using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Clusterings;

/// <summary>Asks for the clusters of a base model's library as it is now (MBC).</summary>
public static class RequestClustering
{
    public const string PublicScope = "public";
    public const string SketchMode = "sketch";

    private const string OwnScope = "mine";
    private const string ExactMode = "exact";
    private const string AutoMode = "auto";
    private const int DeltaComponents = 128;
    private const int MostComponents = 512;

    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        ClusteringRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs,
        IOptions<MarketplaceOptions> options, CancellationToken cancellationToken)
    {
        if (Refuse(request) is { } refusal)
            return refusal;
        var baseModel = await storage.BaseModels.ResolveAsync(request.BaseModel, requester.Owner, cancellationToken);
        var mine = request.Scope == OwnScope;
        // An admin sees everything, but a snapshot for everybody is made of what everybody sees.
        var audience = mine ? new Caller(requester.Owner, KeyScope.Publish) : Caller.Anonymous;
        var members = baseModel is null ? [] : await storage.Libraries.ListMembersAsync(baseModel, audience, request.Derived, cancellationToken);
        if (members.Count == 0)
            return Problems.NotFound($"library of '{request.BaseModel}'");
        var limit = options.Value.MaxExactLibrary;
        if (request.Mode == ExactMode && members.Count > limit)
            return Problems.InvalidRequest("mode", $"The library has {members.Count} members; up to {limit} are clustered exactly, more from their sketches.");
        if (request.K > members.Count)
            return Problems.InvalidRequest("k", $"The library has {members.Count} members.");
        if (Mode(request.Mode, members.Count, limit) == SketchMode && request.Sparsity is { } sparsity && sparsity != FlatFactors.DefaultSparsity)
            return Problems.InvalidRequest("sparsity", $"Sketches are made with a sparsity of {FlatFactors.DefaultSparsity}; another one needs exact mode.");

        var canonical = await CanonicalAsync(storage, request, mine ? requester.Owner : PublicScope, members, limit, cancellationToken);
        return await jobs.SubmitAsync(JobKind.Clustering, requester.Owner, canonical.ToJson(), QueueNames.FunctionsJobs, cancellationToken);
    }

    /// <summary>The request with the library as it is now, which is stored under its digest: a row could not hold thousands of members.</summary>
    internal static async Task<ClusteringJobRequest> CanonicalAsync(
        MarketplaceStorage storage, ClusteringRequest request, string scope, IReadOnlyList<LibraryMember> members, int exactUpTo, CancellationToken cancellationToken)
    {
        var state = JsonSerializer.SerializeToUtf8Bytes(
            members.OrderBy(m => m.Adapter.ToString(), StringComparer.OrdinalIgnoreCase)
                .Select(m => new ResolvedInput(m.Adapter.ToString(), m.Version.Number, m.Version.Id, m.Weights.Hex, m.Config.Hex, 1, "input")),
            ApiJson.Options);
        var digest = await storage.Libraries.PutStateAsync(state, cancellationToken);
        var flat = request.Similarity == Text.Of(AdapterSimilarity.FlatAb);
        var mode = Mode(request.Mode, members.Count, exactUpTo);
        var asked = new ClusteringJobRequest(
            members[0].BaseModel, request.Similarity, request.K, scope, mode, flat ? request.Sparsity ?? FlatFactors.DefaultSparsity : null,
            mode == SketchMode || flat ? request.Components ?? DefaultComponents(flat ? AdapterSimilarity.FlatAb : AdapterSimilarity.Delta) : null,
            digest.Hex, members.Count);
        return asked with { After = await AfterAsync(storage, asked, cancellationToken) };
    }

    // A library that is again as it once was has a snapshot, but not as its newest one: that makes it another request. As long as the newest is what is asked for, it is the same.
    private static async Task<string?> AfterAsync(MarketplaceStorage storage, ClusteringJobRequest asked, CancellationToken cancellationToken)
    {
        var owner = asked.Scope == PublicScope ? null : asked.Scope;
        if (await storage.Libraries.NewestSnapshotAsync(asked.BaseModel, owner, asked.Similarity, null, cancellationToken) is not { } newest)
            return null;
        if (await storage.Jobs.GetAsync(newest.JobId, cancellationToken) is not { } job)
            return newest.Id;
        var made = ClusteringJobRequest.Parse(job.RequestJson);
        return made with { After = null } == asked ? made.After : newest.Id;
    }

    /// <summary>Dimensions kept unless asked otherwise. ΔW has no published number; this one keeps a hundred groups apart.</summary>
    internal static int DefaultComponents(AdapterSimilarity similarity) =>
        similarity == AdapterSimilarity.FlatAb ? MbcEmbedding.PublishedComponents : DeltaComponents;

    private static string Mode(string asked, int members, int exactUpTo) =>
        asked != AutoMode ? asked : members <= exactUpTo ? ExactMode : SketchMode;

    private static ProblemHttpResult? Refuse(ClusteringRequest request)
    {
        if (!Text.TryParse<AdapterSimilarity>(request.Similarity, out var similarity))
            return Problems.InvalidRequest("similarity", $"A similarity is one of: {Text.Choices<AdapterSimilarity>()}.");
        if (request.Scope is not (PublicScope or OwnScope))
            return Problems.InvalidRequest("scope", $"A scope is one of: {PublicScope}, {OwnScope}.");
        if (request.Mode is not (AutoMode or ExactMode or SketchMode))
            return Problems.InvalidRequest("mode", $"A mode is one of: {AutoMode}, {ExactMode}, {SketchMode}.");
        if (request.K is < 1)
            return Problems.InvalidRequest("k", "k is at least 1.");
        if (request.Components is < 1 or > MostComponents)
            return Problems.InvalidRequest("components", $"components is a number from 1 to {MostComponents}.");
        if (request.Sparsity is not null && similarity != AdapterSimilarity.FlatAb)
            return Problems.InvalidRequest("sparsity", "Only flattened factors are sparsified: sparsity belongs to flatAb.");
        return request.Sparsity is < 0 or > 1 or double.NaN ? Problems.InvalidRequest("sparsity", "sparsity is a share, from 0 to 1.") : null;
    }
}

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
    private const string OwnScope = "mine";

    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        ClusteringRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs,
        IOptions<MarketplaceOptions> options, CancellationToken cancellationToken)
    {
        if (!Text.TryParse<AdapterSimilarity>(request.Similarity, out _))
            return Problems.InvalidRequest("similarity", $"A similarity is one of: {Text.Choices<AdapterSimilarity>()}.");
        if (request.Scope is not (PublicScope or OwnScope))
            return Problems.InvalidRequest("scope", $"A scope is one of: {PublicScope}, {OwnScope}.");
        if (request.K is < 1)
            return Problems.InvalidRequest("k", "k is at least 1.");

        var baseModel = await storage.BaseModels.ResolveAsync(request.BaseModel, requester.Owner, cancellationToken);
        var mine = request.Scope == OwnScope;
        // An admin sees everything, but a snapshot for everybody is made of what everybody sees.
        var audience = mine ? new Caller(requester.Owner, KeyScope.Publish) : Caller.Anonymous;
        var members = baseModel is null ? [] : await storage.Libraries.ListMembersAsync(baseModel, audience, cancellationToken);
        if (members.Count == 0)
            return Problems.NotFound($"library of '{request.BaseModel}'");
        if (members.Count > options.Value.MaxExactLibrary)
            return Problems.LibraryTooLarge(members.Count, options.Value.MaxExactLibrary);
        if (request.K > members.Count)
            return Problems.InvalidRequest("k", $"The library has {members.Count} members.");

        var canonical = Canonical(request.Similarity, request.K, mine ? requester.Owner : PublicScope, members);
        return await jobs.SubmitAsync(JobKind.Clustering, requester.Owner, canonical.ToJson(), QueueNames.FunctionsJobs, cancellationToken);
    }

    /// <summary>The request with the library as it is now.</summary>
    internal static ClusteringJobRequest Canonical(
        string similarity, int? k, string scope, IReadOnlyList<LibraryMember> members) =>
        new(members[0].BaseModel, similarity, k, scope,
        [
            .. members.OrderBy(m => m.Adapter.ToString(), StringComparer.OrdinalIgnoreCase)
                .Select(m => new ResolvedInput(m.Adapter.ToString(), m.Version.Number, m.Version.Id, m.Weights.Hex, m.Config.Hex, 1, "input")),
        ]);
}

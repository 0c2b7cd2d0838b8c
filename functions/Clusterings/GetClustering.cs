using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Clusterings;

/// <summary>One cluster snapshot.</summary>
public static class GetClustering
{
    public static async Task<Results<Ok<ClusterSnapshotView>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken) =>
        await storage.Libraries.GetSnapshotAsync(id, requester.Caller, cancellationToken) is { } snapshot
            ? TypedResults.Ok(View(snapshot))
            : Problems.NotFound($"clustering '{id}'");

    internal static ClusterSnapshotView View(ClusterSnapshot snapshot) =>
        JsonSerializer.Deserialize<ClusterSnapshotView>(snapshot.BodyJson, ApiJson.Options)!;
}

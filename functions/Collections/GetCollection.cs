using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Collections;

/// <summary>One collection: its versions, and what made it, as far as the caller may see either.</summary>
public static class GetCollection
{
    public static async Task<Results<Ok<CollectionView>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (!AdapterId.TryCreate(owner, name, out var id) || await storage.Collections.GetAsync(id, requester.Caller, cancellationToken) is not { } collection)
            return NotFound(owner, name);
        var whole = true;
        foreach (var (adapter, number) in CollectionJobRequest.Parse(collection.RequestJson).Versions())
            whole = whole && await Lookup.SeesAsync(storage, requester.Caller, adapter, number, cancellationToken);
        return TypedResults.Ok(View(collection) with
        {
            Members = [.. collection.Members.Select(m => new CollectionMemberView(m.Label, Views.Reference(m.Adapter, m.Version)))],
            JobId = requester.Caller.IsAdmin || requester.Owns(collection.Id) ? collection.JobId : null,
            Request = whole ? JsonSerializer.Deserialize<JsonElement>(collection.RequestJson) : null,
        });
    }

    internal static CollectionView View(CollectionRecord collection) => new(
        collection.Id.ToString(), collection.Private, collection.BaseModel, collection.MadeBy, collection.CreatedAt);

    internal static ProblemHttpResult NotFound(string owner, string name) => Problems.NotFound($"collection '{owner}/{name}'");
}

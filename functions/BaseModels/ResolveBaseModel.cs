using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.BaseModels;

/// <summary>What a spelling counts as for the caller's adapters.</summary>
public static class ResolveBaseModel
{
    public static async Task<Results<Ok<BaseModelAliasView>, ProblemHttpResult>> Handle(
        string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken) =>
        await storage.BaseModels.ResolveAsync(name, requester.Caller.Owner ?? "", cancellationToken) is { } canonical
            ? TypedResults.Ok(new BaseModelAliasView(name, canonical, null))
            : Problems.NotFound($"base model known as '{name}'; its publisher can confirm an alias");
}

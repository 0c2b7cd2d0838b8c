using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>Gives a version a name of its own, such as <c>v1.0</c>. To move the name, forget it first.</summary>
public static class SetTag
{
    public static async Task<Results<NoContent, ProblemHttpResult>> Handle(
        string owner, string name, string tag, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken,
        string revision = "main")
    {
        var (adapter, problem) = await Lookup.OwnAdapterAsync(storage, requester, owner, name, cancellationToken);
        if (adapter is null)
            return problem!;
        if (!TagStore.IsValid(tag))
            return Problems.InvalidRequest("tag", "A tag has 1 to 100 letters, digits, '.', '_' or '-', and is nothing that names a version already.");
        if (await storage.Versions.ResolveAsync(adapter.Id, revision, cancellationToken) is not { } version)
            return Problems.NotFound($"version '{revision}' of '{adapter.Id}'");
        return await storage.Tags.AddAsync(adapter.Id, tag, version.Number, cancellationToken) == AddResult.Added
            ? TypedResults.NoContent()
            : Problems.Conflict($"'{adapter.Id}' has a tag '{tag}'; forget it first to move it.");
    }
}

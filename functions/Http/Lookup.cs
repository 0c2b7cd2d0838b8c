using Marketplace.Core;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Http;

/// <summary>Either what was asked for, or the problem to answer with.</summary>
internal readonly record struct Found<T>(T? Value, ProblemHttpResult? Problem)
    where T : class
{
    public static implicit operator Found<T>(T value) => new(value, null);

    public static implicit operator Found<T>(ProblemHttpResult problem) => new(null, problem);
}

/// <summary>Finds adapters and versions as a caller may see them.</summary>
internal static class Lookup
{
    /// <summary>The adapter; not-found also when it is private to somebody else, and then whether or not it is down.</summary>
    public static async Task<Found<AdapterRecord>> AdapterAsync(
        MarketplaceStorage storage, Caller caller, string owner, string name, CancellationToken cancellationToken)
    {
        if (await KnownAsync(storage, caller, owner, name, cancellationToken) is not { } adapter)
            return Problems.NotFound($"adapter '{owner}/{name}'");
        return adapter.Takedown is null ? adapter : Problems.TakenDown(await TakedownViews.PublicAsync(adapter, storage, caller, cancellationToken));
    }

    /// <summary>The adapter, even if it is down; null if it is private to somebody else.</summary>
    public static async Task<AdapterRecord?> KnownAsync(MarketplaceStorage storage, Caller caller, string owner, string name, CancellationToken cancellationToken) =>
        AdapterId.TryCreate(owner, name, out var id) && await storage.Adapters.GetAsync(id, cancellationToken) is { } adapter && caller.MayKnow(adapter) ? adapter : null;

    /// <summary>A problem if nothing can be published to a name, because what had it was taken down.</summary>
    public static async Task<ProblemHttpResult?> OutputAsync(MarketplaceStorage storage, Caller caller, AdapterId id, CancellationToken cancellationToken) =>
        await storage.Adapters.GetAsync(id, cancellationToken) is { Takedown: not null } adapter && caller.MayKnow(adapter)
            ? Problems.TakenDown(await TakedownViews.PublicAsync(adapter, storage, caller, cancellationToken)) : null;

    /// <summary>Whether a name that has no adapter was made private when a repository was created for it: its first version is private then, by whatever way it comes.</summary>
    public static async Task<bool> BeginsPrivateAsync(MarketplaceStorage storage, AdapterId id, CancellationToken cancellationToken) =>
        await storage.Repositories.GetAsync(id, cancellationToken) is { Private: true } && await storage.Adapters.GetAsync(id, cancellationToken) is null;

    /// <summary>Whether the adapter that a version of that number belongs to exists for the caller.</summary>
    public static async Task<bool> SeesAsync(MarketplaceStorage storage, Caller caller, AdapterId id, int number, CancellationToken cancellationToken) =>
        await storage.Adapters.GetAsync(id, number, cancellationToken) is { } adapter && caller.CanSee(adapter);

    /// <summary>The adapter, if the caller owns it.</summary>
    public static async Task<Found<AdapterRecord>> OwnAdapterAsync(
        MarketplaceStorage storage, Requester requester, string owner, string name, CancellationToken cancellationToken)
    {
        var found = await AdapterAsync(storage, requester.Caller, owner, name, cancellationToken);
        return found.Value is { } adapter && !requester.Owns(adapter.Id)
            ? Problems.Forbidden($"'{adapter.Id}' belongs to another account.")
            : found;
    }

    /// <summary>A version of an adapter by number, id, tag or <c>main</c>.</summary>
    public static async Task<Found<VersionRecord>> VersionAsync(
        MarketplaceStorage storage, Caller caller, string owner, string name, string revision, CancellationToken cancellationToken)
    {
        var (adapter, problem) = await AdapterAsync(storage, caller, owner, name, cancellationToken);
        if (adapter is null)
            return problem!;
        return await storage.Versions.ResolveAsync(adapter.Id, revision, cancellationToken) is { } version && adapter.Has(version.Number)
            ? version
            : Problems.NotFound($"version '{revision}' of '{adapter.Id}'");
    }
}

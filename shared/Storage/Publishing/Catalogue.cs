using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>Changes that concern an adapter's row and its place in a library at once. The row is the truth; the library follows.</summary>
public sealed class Catalogue
{
    private readonly MarketplaceStorage storage;

    internal Catalogue(MarketplaceStorage storage) => this.storage = storage;

    /// <summary>
    /// Changes who sees an adapter; null leaves as it is. Returns the changed adapter, or null if there is none. When it becomes private,
    /// the library entry goes first, so that at no time the library shows what the row hides.
    /// </summary>
    public async Task<AdapterRecord?> SetVisibilityAsync(AdapterId id, bool? isPrivate = null, bool? listed = null, CancellationToken ct = default)
    {
        while (await storage.Adapters.GetAsync(id, ct) is { } adapter)
        {
            if (isPrivate == true && adapter.BaseModel is { } baseModel)
                await storage.Libraries.RemoveMemberAsync(baseModel, id, ct);
            var changed = adapter with
            {
                Private = isPrivate ?? adapter.Private,
                Listed = listed ?? adapter.Listed,
                UpdatedAt = storage.Clock.GetUtcNow(),
            };
            if (await storage.Adapters.UpdateAsync(changed, ct) != UpdateResult.Updated)
                continue;
            await SyncLibraryAsync(id, [], ct);
            return changed;
        }
        return null;
    }

    /// <summary>Deletes an evaluation set with all results on it; false if there is none. From the first step on it exists for its owner only, who can ask again.</summary>
    public async Task<bool> DeleteEvaluationSetAsync(AdapterId id, CancellationToken ct = default)
    {
        if (!await storage.EvaluationSets.HideAsync(id, ct))
            return false;
        foreach (var version in await storage.EvaluationSets.ListVersionsAsync(id, ct))
            await storage.EvaluationResults.DeleteAllAsync(id, version.Digest, ct);
        return await storage.EvaluationSets.DeleteAsync(id, ct);
    }

    /// <summary>
    /// Confirms an alias and moves the adapters that it concerns into the library it names: those of its owner, or with an alias for
    /// everybody those of all. Returns the adapters that moved.
    /// </summary>
    public async Task<IReadOnlyList<AdapterId>> ConfirmAliasAsync(BaseModelAlias alias, CancellationToken ct = default)
    {
        await storage.BaseModels.ConfirmAliasAsync(alias, ct);
        var joined = new List<AdapterId>();
        await foreach (var adapter in storage.Adapters.ListBySpellingAsync(alias.Spelling, alias.Owner, ct))
        {
            if (await JoinAsync(adapter.Id, ct))
                joined.Add(adapter.Id);
        }
        return joined;
    }

    /// <summary>
    /// Makes the libraries agree with the adapter's row: it is a member of its base model's library, unless it is down, and of none of
    /// <paramref name="others"/>. Looks again after writing, because the row may have changed meanwhile.
    /// </summary>
    internal async Task SyncLibraryAsync(AdapterId id, IReadOnlyList<string?> others, CancellationToken ct)
    {
        var stale = others.OfType<string>().ToHashSet(StringComparer.OrdinalIgnoreCase);
        var adapter = await storage.Adapters.GetAsync(id, ct);
        while (true)
        {
            if (adapter is { BaseModel: { } withdrawn, Takedown: not null })
                await storage.Libraries.RemoveMemberAsync(withdrawn, id, ct);
            else if (adapter is { BaseModel: { } baseModel, Main: { } main } && await storage.Versions.GetAsync(id, main.Number, ct) is { } version)
                await storage.Libraries.PutMemberAsync(new LibraryMember(baseModel, adapter.Id, adapter.Private, main, version.Weights, version.Config), ct);
            foreach (var other in stale.Where(s => !string.Equals(s, adapter?.BaseModel, StringComparison.OrdinalIgnoreCase)))
                await storage.Libraries.RemoveMemberAsync(other, id, ct);
            var now = await storage.Adapters.GetAsync(id, ct);
            if (now?.ETag == adapter?.ETag)
                return;
            if (adapter?.BaseModel is { } left)
                stale.Add(left);
            adapter = now;
        }
    }

    /// <summary>
    /// Enters an adapter that is down into its library, right before it is up again: while its row says that it is down nobody is told of it, and once the row says otherwise nothing is left to do.
    /// </summary>
    internal async Task ReturnAsync(AdapterRecord adapter, CancellationToken ct)
    {
        if (adapter is { BaseModel: { } baseModel, Main: { } main } && await storage.Versions.GetAsync(adapter.Id, main.Number, ct) is { } version)
            await storage.Libraries.PutMemberAsync(new LibraryMember(baseModel, adapter.Id, adapter.Private, main, version.Weights, version.Config), ct);
    }

    private async Task<bool> JoinAsync(AdapterId id, CancellationToken ct)
    {
        while (await storage.Adapters.GetAsync(id, ct) is { } adapter)
        {
            var baseModel = await storage.BaseModels.ResolveAsync(adapter.BaseModelName, id.Owner, ct);
            if (baseModel is null || string.Equals(baseModel, adapter.BaseModel, StringComparison.OrdinalIgnoreCase))
                return false;
            if (await storage.Adapters.UpdateAsync(adapter with { BaseModel = baseModel, UpdatedAt = storage.Clock.GetUtcNow() }, ct) != UpdateResult.Updated)
                continue;
            await SyncLibraryAsync(id, [adapter.BaseModel], ct);
            return true;
        }
        return false;
    }
}

using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Storage;

namespace Marketplace.Functions.Http;

/// <summary>What the API tells of takedowns. Names of others' private adapters are not told, nor are messages about them.</summary>
internal static class TakedownViews
{
    /// <summary>That an adapter is down, as somebody may know who may know of the adapter.</summary>
    public static async Task<TakedownView> PublicAsync(AdapterRecord adapter, MarketplaceStorage storage, Caller caller, CancellationToken cancellationToken)
    {
        var mark = adapter.Takedown!;
        var cause = mark.First;
        var known = cause.Root is not { } root || (await storage.Adapters.GetAsync(root, cancellationToken) is { } record && caller.MayKnow(record));
        var view = new TakedownView(
            adapter.Id.ToString(), Text.Of(cause.Reason), known ? cause.Message : null, cause.At, known ? cause.Root?.ToString() : null, cause.Root is not null);
        return caller.IsAdmin || caller.Is(adapter.Id.Owner)
            ? view with { RestorableUntil = mark.PurgedAt is null ? mark.Since + storage.Options.TakedownRetention : null, PurgedAt = mark.PurgedAt }
            : view;
    }

    /// <summary>Everything there is to know, for admins.</summary>
    public static async Task<TakedownView> FullAsync(
        AdapterRecord adapter, MarketplaceStorage storage, Caller caller, IReadOnlyList<(AdapterId Adapter, int Number)>? flagged, CancellationToken cancellationToken)
    {
        var own = adapter.Takedown!.Own;
        return await PublicAsync(adapter, storage, caller, cancellationToken) with
        {
            Descendants = own is null ? null : Text.Of(own.Descendants),
            Copies = own?.Copies,
            By = adapter.Takedown.First.By,
            Complete = adapter.Takedown is { Spread: true, Restoring: false },
            TakenDown = [.. (await storage.Takedowns.ListBecauseAsync(adapter.Id, cancellationToken)).Select(id => id.ToString())],
            Flagged = flagged is null ? null : [.. flagged.Select(f => $"{f.Adapter}@{f.Number}")],
        };
    }

    /// <summary>What shows at a version of an adapter: to its owner in any case, to others only what they may know of; null where that is nothing.</summary>
    public static IReadOnlyList<TaintView>? Shown(this AdapterId child, IEnumerable<Taint> taints, Caller caller)
    {
        var shown = taints.Where(t => caller.MayKnow(t.Root) || caller.Is(child.Owner)).OrderBy(t => t.Cause.At).Select(t => caller.MayKnow(t.Root)
            ? new TaintView(t.Root.Id.ToString(), Text.Of(t.Cause.Reason), t.Cause.Message, t.Cause.At)
            : new TaintView(null, Text.Of(t.Cause.Reason), null, t.Cause.At)).ToList();
        return shown.Count == 0 ? null : shown;
    }
}

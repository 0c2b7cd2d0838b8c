using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.EvaluationSets;

/// <summary>Finds evaluation sets as a caller may see them, and shows them.</summary>
internal static class SetLookup
{
    /// <summary>The set; not-found also when it is private to somebody else.</summary>
    public static async Task<Found<EvaluationSetRecord>> FindAsync(
        MarketplaceStorage storage, Caller caller, string owner, string name, CancellationToken cancellationToken) =>
        AdapterId.TryCreate(owner, name, out var id) && await storage.EvaluationSets.GetAsync(id, caller, cancellationToken) is { } set ? set : NotFound($"{owner}/{name}");

    /// <summary>The set, if the caller owns it.</summary>
    public static async Task<Found<EvaluationSetRecord>> FindOwnAsync(
        MarketplaceStorage storage, Requester requester, string owner, string name, CancellationToken cancellationToken)
    {
        var found = await FindAsync(storage, requester.Caller, owner, name, cancellationToken);
        return found.Value is { } set && !requester.Owns(set.Id) ? Problems.Forbidden($"'{set.Id}' belongs to another account.") : found;
    }

    /// <summary>What <c>owner/name</c> or <c>owner/name@revision</c> names: the set and its version.</summary>
    public static async Task<(EvaluationSetRecord? Set, EvaluationSetVersion? Version, ProblemHttpResult? Problem)> FindVersionAsync(
        MarketplaceStorage storage, Caller caller, string text, CancellationToken cancellationToken)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        if (!AdapterId.TryParse(at < 0 ? text : text[..at], out var id))
            return (null, null, Problems.InvalidRequest("set", $"'{text}' is not of the form owner/name or owner/name@revision."));
        var (set, problem) = await FindAsync(storage, caller, id.Owner, id.Name, cancellationToken);
        if (set is null)
            return (null, null, problem);
        return await storage.EvaluationSets.ResolveAsync(set.Id, at < 0 ? "main" : text[(at + 1)..], cancellationToken) is { } version
            ? (set, version, null) : (null, null, Problems.NotFound($"version '{text[(at + 1)..]}' of the evaluation set '{set.Id}'"));
    }

    /// <summary>Whether all of these exist for the caller.</summary>
    public static async Task<bool> SeesAllAsync(MarketplaceStorage storage, Caller caller, IEnumerable<EvaluationSetReference> sets, CancellationToken cancellationToken)
    {
        foreach (var set in sets)
        {
            if (await storage.EvaluationSets.GetAsync(AdapterId.Parse(set.Set), caller, cancellationToken) is null)
                return false;
        }

        return true;
    }

    public static EvaluationSetView View(this EvaluationSetRecord set) =>
        new(set.Id.ToString(), set.Private, set.Listed, set.Main!.View(set.Id), set.CreatedAt, set.UpdatedAt);

    public static EvaluationSetVersionView View(this EvaluationSetVersion version, AdapterId set) => new(
        set.ToString(), version.Number, version.Digest.Hex, version.Header, version.Items, version.Bytes, version.CreatedAt, version.PublishedBy, version.Message);

    private static ProblemHttpResult NotFound(string name) => Problems.NotFound($"evaluation set '{name}'");
}

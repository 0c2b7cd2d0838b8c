using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Libraries;

/// <summary>Adapters of a library that differ from each other and stand for the rest, by the sketches of those that the caller may see.</summary>
public static class FindDiverse
{
    private const int MaxCount = 500;
    private const string PublicScope = "public";
    private const string OwnScope = "mine";

    public static async Task<Results<Ok<DiverseView>, ProblemHttpResult>> Handle(
        Requester requester, MarketplaceStorage storage, LibrarySketches sketches, IOptions<MarketplaceOptions> options, CancellationToken cancellationToken,
        string? baseModel = null, string? count = null, string? objective = null, string? scope = null, string? derived = null)
    {
        if (baseModel is null)
            return Problems.InvalidRequest("baseModel", "Say whose library: ?baseModel=org/name.");
        if (!int.TryParse(count ?? "8", out var wanted) || wanted is < 1 or > MaxCount)
            return Problems.InvalidRequest("count", $"count is a number from 1 to {MaxCount}.");
        if (!Text.TryParse<DiverseObjective>(objective ?? Text.Of(DiverseObjective.FacilityLocation), out var goal))
            return Problems.InvalidRequest("objective", $"An objective is one of: {Text.Choices<DiverseObjective>()}.");
        if (scope is not (null or PublicScope or OwnScope))
            return Problems.InvalidRequest("scope", $"A scope is one of: {PublicScope}, {OwnScope}.");
        if (derived is not (null or "true" or "false"))
            return Problems.InvalidRequest("derived", "derived is true or false.");
        if (scope == OwnScope && requester.Caller.Owner is null)
            return Problems.Unauthenticated;

        // An admin sees everything, but an answer for everybody is made of what everybody sees.
        var audience = scope == OwnScope ? new Caller(requester.Owner, KeyScope.Read) : Caller.Anonymous;
        var canonical = await storage.BaseModels.ResolveAsync(baseModel, requester.Caller.Owner ?? "", cancellationToken);
        var members = canonical is null ? [] : await storage.Libraries.ListMembersAsync(canonical, audience, derived == "true", cancellationToken);
        if (members.Count == 0)
            return Problems.NotFound($"library of '{baseModel}'");
        if (members.Count > options.Value.MaxDiverseLibrary)
            return Problems.LibraryTooLarge(members.Count, options.Value.MaxDiverseLibrary);

        var known = await sketches.LoadAsync(members[0].BaseModel, [.. members.Select(m => (m.Config, m.Weights))], cancellationToken);
        var excluded = members.Zip(known).Where(m => m.Second is null or { IsZero: true }).Select(m => new ExcludedView(
            Views.Reference(m.First.Adapter, m.First.Version),
            m.Second is null ? "Its bytes can't be read, or are not finite." : "It changes nothing: all its ΔW are zero, so it has no direction to compare."));
        var compared = members.Zip(known).Where(m => m.Second is { IsZero: false }).ToList();
        var subset = await Task.Run(
            () => DiverseSubset.Choose([.. compared.Select(m => m.Second!.Delta.AsMemory())], wanted, goal, cancellation: cancellationToken), cancellationToken);
        return TypedResults.Ok(new DiverseView(
            members[0].BaseModel, Text.Of(goal), scope == OwnScope ? requester.Owner : PublicScope, subset.Considered, subset.Value,
            goal == DiverseObjective.FacilityLocation && subset.Considered > 0 ? subset.Value / subset.Considered : null,
            [.. subset.Picks.Select(p => new DiversePickView(Views.Reference(compared[p.Index].First.Adapter, compared[p.Index].First.Version), p.Gain, p.Nearest))], [.. excluded]));
    }
}

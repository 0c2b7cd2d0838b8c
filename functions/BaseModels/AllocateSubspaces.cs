using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.BaseModels;

/// <summary>
/// Gives an adapter that is to be trained input subspaces of its own, orthogonal to those of all other adapters of the base model. Nothing is given where one of
/// the modules is full; of two requests that take the last vectors at once, one may get part of its modules, which it keeps when it asks again.
/// </summary>
public static class AllocateSubspaces
{
    private const int MaxModules = 1000;
    private const int MaxRank = 1024;
    private const int MaxIn = 1 << 20;
    private const int MaxName = 500;
    private const int AtOnce = 16;

    public static async Task<Results<Ok<AllocateSubspacesResponse>, ProblemHttpResult>> Handle(
        AllocateSubspacesRequest request, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (!AdapterId.TryParse(request.Adapter, out var adapter))
            return Problems.InvalidRequest("adapter", $"'{request.Adapter}' is not a name of the form owner/name.");
        if (!requester.Owns(adapter))
            return Problems.Forbidden($"The key belongs to '{requester.Owner}'; it can't allocate for '{adapter.Owner}'.");
        if (await storage.BaseModels.ResolveAsync(request.BaseModel, requester.Owner, cancellationToken) is not { } baseModel)
            return Problems.InvalidRequest("baseModel", $"'{request.BaseModel}' is not known to mean a base model; confirm an alias first.");
        if (Check(request) is { Count: > 0 } issues)
            return Problems.InvalidRequest(issues);

        var free = await ForEach(request.Modules, async module =>
            await storage.Subspaces.FindAsync(baseModel, adapter, module.Name, module.In, cancellationToken) is null
                ? await storage.Subspaces.FreeAsync(baseModel, module.Name, module.In, cancellationToken) : int.MaxValue, cancellationToken);
        if (Array.FindIndex(free, f => f < request.Rank) is >= 0 and var first)
            return Problems.SubspaceExhausted(request.Modules[first].Name, free[first], request.Rank);

        var outcomes = await ForEach(request.Modules, module =>
            storage.Subspaces.AllocateAsync(baseModel, adapter, module.Name, module.In, request.Rank, cancellationToken), cancellationToken);
        for (var i = 0; i < outcomes.Length; i++)
        {
            if (outcomes[i] is AllocateOutcome.Exhausted exhausted)
                return Problems.SubspaceExhausted(request.Modules[i].Name, exhausted.Free, request.Rank);
            if (outcomes[i] is AllocateOutcome.OtherRank other)
                return Problems.Conflict($"{adapter} already has a subspace of rank {other.Rank} at {request.Modules[i].Name}.");
        }

        AuditScope.About(adapter.ToString(), $"rank {request.Rank} in {request.Modules.Count} modules of {baseModel}");
        return TypedResults.Ok(new AllocateSubspacesResponse(
            adapter.ToString(), baseModel, [.. outcomes.Cast<AllocateOutcome.Allocated>().Select(o => o.Subspace)]));
    }

    private static List<IssueView> Check(AllocateSubspacesRequest request)
    {
        var issues = new List<IssueView>();
        void Add(string path, string message) => issues.Add(new("invalid-value", "error", path, message));
        if (request.Rank is < 1 or > MaxRank)
            Add("rank", $"A rank lies between 1 and {MaxRank}.");
        if (request.Modules.Count is 0 or > MaxModules)
            Add("modules", $"There are 1 to {MaxModules} modules.");
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < Math.Min(request.Modules.Count, MaxModules); i++)
        {
            var module = request.Modules[i];
            if (module.Name.Trim().Length == 0 || module.Name.Length > MaxName || !names.Add(module.Name))
                Add($"modules[{i}].name", $"Each module has a name of its own, of up to {MaxName} characters.");
            if (module.In is < 1 or > MaxIn)
                Add($"modules[{i}].in", $"An input size lies between 1 and {MaxIn}.");
        }

        return issues;
    }

    private static async Task<T[]> ForEach<T>(IReadOnlyList<SubspaceModule> modules, Func<SubspaceModule, Task<T>> ask, CancellationToken cancellationToken)
    {
        var answers = new T[modules.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, answers.Length, options, async (i, _) => answers[i] = await ask(modules[i]));
        return answers;
    }
}

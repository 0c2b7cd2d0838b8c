using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Routers;

/// <summary>Asks for an Arrow router: the prototypes of a set of adapters.</summary>
public static class RequestRouter
{
    private const int MaxExperts = 256;
    private const int MaxGeneral = 20;
    private const int MaxTies = 20;
    private const int MaxName = 200;

    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        RouterRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs, CancellationToken cancellationToken)
    {
        if (Check(request) is { } problem)
            return problem;
        if (!Text.TryParse<RouterSubtractionMode>(request.Mode, out var mode))
            return Problems.InvalidRequest("mode", $"A mode is one of: {Text.Choices<RouterSubtractionMode>()}.");
        if (!Text.TryParse<RouterCombination>(request.Combination, out var combination))
            return Problems.InvalidRequest("combination", $"A combination is one of: {Text.Choices<RouterCombination>()}.");
        var (named, refused) = await NamedAsync(request, requester, storage, cancellationToken);
        if (named is null)
            return refused!;
        if (named.Count is 0 or > MaxExperts)
            return Problems.InvalidRequest(request.Collection is null ? "adapters" : "collection", $"A router has 1 to {MaxExperts} adapters.");

        var resolver = new InputResolver(storage, requester);
        var experts = new List<ResolvedInput>();
        foreach (var (place, adapter) in named)
        {
            if (await resolver.AddAsync(place, adapter, 1, "input", cancellationToken) is { } input)
                experts.Add(input);
        }

        var general = new List<ResolvedInput>();
        foreach (var (adapter, index) in (request.General ?? []).Select((g, index) => (g, index)))
        {
            if (await resolver.AddAsync($"general[{index}]", adapter.Adapter, adapter.Weight, "general", cancellationToken) is { } input)
                general.Add(input);
        }

        var (baseModel, mismatch) = resolver.Finish();
        if (mismatch is not null)
            return mismatch;
        if (experts.GroupBy(i => i.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } repeated)
            return Problems.InvalidRequest("adapters", $"'{repeated.Key}' is named more than once.");

        var canonical = new RouterJobRequest(
            baseModel!, [.. experts], [.. general], request.Beta, mode, [.. (request.Tie ?? []).Select(t => t.ToImmutableArray())],
            request.TopK ?? RouterDescription.DefaultTopK(general.Count > 0), request.Temperature, combination, request.UnitInputs, request.Private, request.Name);
        return await jobs.SubmitAsync(JobKind.RouterExport, requester.Owner, canonical.ToJson(), QueueNames.FunctionsJobs, cancellationToken);
    }

    private static ProblemHttpResult? Check(RouterRequest request)
    {
        if ((request.Adapters is null) == (request.Collection is null))
            return Problems.InvalidRequest("adapters", "Name either adapters or a collection.");
        if (Nulls(request) is { } place)
            return Problems.InvalidRequest(place, "An entry of a list is null.");
        if (request.General is { Count: > MaxGeneral })
            return Problems.InvalidRequest("general", $"At most {MaxGeneral} general adapters are subtracted.");
        if (request.General is { Count: > 0 } general && LinearMethods.Divisor([.. general.Select(g => g.Weight)]) is { } reason)
            return Problems.InvalidRequest("general", reason);
        if (!double.IsFinite(request.Beta))
            return Problems.InvalidRequest("beta", "β is a finite number.");
        if (request.TopK is < 1)
            return Problems.InvalidRequest("topK", "topK is at least 1.");
        if (!(request.Temperature > 0) || !double.IsFinite(request.Temperature))
            return Problems.InvalidRequest("temperature", "A temperature is a positive number.");
        if (request.Name is { Length: > MaxName })
            return Problems.InvalidRequest("name", $"A name has at most {MaxName} characters.");
        if (request.Tie is { Count: > MaxTies })
            return Problems.InvalidRequest("tie", $"There are at most {MaxTies} ties.");
        // What does not depend on the adapters; the job finds the rest.
        var found = new List<MergeProblem>();
        RouterTies.Group([], request.Tie ?? [], found);
        return found.Count == 0 ? null : Problems.InvalidRequest([.. found.Select(p => new IssueView(p.Code, "error", p.Place, p.Message))]);
    }

    // Nullability is checked for members of objects, not for entries of lists.
    private static string? Nulls(RouterRequest request) =>
        First("adapters", request.Adapters) ?? First("general", request.General) ?? First("tie", request.Tie)
        ?? (request.Tie ?? []).Select((names, i) => First($"tie[{i}]", names)).FirstOrDefault(p => p is not null);

    private static string? First<T>(string member, IReadOnlyList<T>? entries) =>
        entries is not null && entries.ToList().FindIndex(e => e is null) is >= 0 and var i ? $"{member}[{i}]" : null;

    // The adapters with their places in the request.
    private static async Task<(List<(string Place, string Adapter)>? Named, ProblemHttpResult? Problem)> NamedAsync(
        RouterRequest request, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (request.Adapters is { } adapters)
            return ([.. adapters.Select((adapter, index) => ($"adapters[{index}]", adapter))], null);
        if (!AdapterId.TryParse(request.Collection, out var id))
            return (null, Problems.InvalidRequest("collection", $"'{request.Collection}' is not a name of the form owner/name."));
        return await storage.Collections.GetAsync(id, requester.Caller, cancellationToken) is { } collection
            ? ([.. collection.Members.Select(m => ("collection", $"{m.Adapter}@{m.Version.Number}"))], null)
            : (null, Problems.InvalidRequest("collection", $"There is no collection '{request.Collection}'."));
    }
}

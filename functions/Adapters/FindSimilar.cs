using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Adapters;

/// <summary>The nearest adapters of the same library, by exact cosine of ΔW, among those the caller may see.</summary>
public static class FindSimilar
{
    private const int MaxLimit = 100;

    public static async Task<Results<Ok<ListResponse<SimilarView>>, ProblemHttpResult>> Handle(
        string owner, string name, Requester requester, MarketplaceStorage storage, LibraryReader reader,
        IOptions<MarketplaceOptions> options, CancellationToken cancellationToken, string? limit = null)
    {
        if (Paging.ParseLimit(limit, MaxLimit) is not { } count)
            return Paging.BadLimit(MaxLimit);
        var (adapter, problem) = await Lookup.AdapterAsync(storage, requester.Caller, owner, name, cancellationToken);
        if (adapter is null)
            return problem!;
        if (adapter.BaseModel is not { } baseModel)
            return Problems.BaseMismatch($"The base model of '{adapter.Id}', '{adapter.BaseModelName}', is not known; its owner can confirm an alias.");

        var members = await storage.Libraries.ListMembersAsync(baseModel, requester.Caller, cancellationToken);
        if (members.Count > options.Value.MaxExactLibrary)
            return Problems.LibraryTooLarge(members.Count, options.Value.MaxExactLibrary);
        if (members.FirstOrDefault(m => m.Adapter == adapter.Id) is not { } self)
            return Problems.Conflict($"'{adapter.Id}' is just joining its library; try again.");

        using var target = await reader.OpenAsync(self, cancellationToken);
        var found = new List<SimilarView>();
        foreach (var member in members.Where(m => m.Adapter != adapter.Id))
        {
            using var other = await reader.OpenAsync(member, cancellationToken);
            if (Compare(target, other) is { } similarity)
                found.Add(new SimilarView(Views.Reference(member.Adapter, member.Version), similarity.Cosine, similarity.Distance));
        }

        var nearest = found.OrderByDescending(s => s.Cosine).ThenBy(s => s.Version.Adapter, StringComparer.Ordinal).Take(count);
        return TypedResults.Ok(new ListResponse<SimilarView>([.. nearest]));
    }

    // Null where shapes differ: then the two do not adapt the same model, whatever their configurations say.
    private static (double Cosine, double Distance)? Compare(Adapter first, Adapter second)
    {
        if (!Core.Methods.Similarities.TryCompute([first, second], Core.Methods.AdapterSimilarity.Delta, out var cosines, out _))
            return null;
        var norm = Math.Sqrt(first.Modules.Sum(m => Square(Deltas.Norm(first.Delta(m.Name)!))));
        var modules = first.Modules.Concat(second.Modules).Select(m => m.Name).Distinct();
        var distance = Math.Sqrt(modules.Sum(m => Square(Distance(first.Delta(m), second.Delta(m)))));
        return (cosines[0, 1], norm == 0 ? 0 : distance / norm);
    }

    private static double Distance(LowRankDelta? first, LowRankDelta? second) =>
        first is null ? Deltas.Norm(second!) : second is null ? Deltas.Norm(first) : Deltas.Distance(first, second);

    private static double Square(double x) => x * x;
}

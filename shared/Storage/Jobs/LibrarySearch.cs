using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Methods;

namespace Marketplace.Storage.Jobs;

/// <summary>A member of a library as a search sees it.</summary>
/// <param name="Member">The member.</param>
/// <param name="Sketch">Its sketch.</param>
/// <param name="Estimate">Its estimated cosine with what was searched for.</param>
public sealed record Candidate(LibraryMember Member, AdapterSketch Sketch, double Estimate);

/// <summary>
/// Searches libraries of any size by sketches. Of the members only those are looked at whose rows say that the caller may see them; rows may lag, so a candidate is confirmed by its
/// adapter's own row before anything is said of it.
/// </summary>
public sealed class LibrarySearch(MarketplaceStorage storage, LibrarySketches sketches)
{
    /// <summary>The members that can be compared with a sketch, the most similar first, and how many were looked at.</summary>
    /// <param name="baseModel">The library.</param>
    /// <param name="caller">Who asks.</param>
    /// <param name="target">What is searched for.</param>
    /// <param name="except">An adapter that is left out.</param>
    /// <param name="similarity">What is compared. Adapters that change nothing are like none; factors are comparable only where modules and ranks agree.</param>
    /// <param name="cancellationToken">Cancels.</param>
    public async Task<(List<Candidate> Candidates, int Members)> RankAsync(
        string baseModel, Caller caller, AdapterSketch target, AdapterId except, AdapterSimilarity similarity, CancellationToken cancellationToken)
    {
        var members = (await storage.Libraries.ScanMembersAsync(baseModel, caller, cancellationToken)).Where(m => m.Adapter != except).ToList();
        var loaded = target.IsZero ? [] : await sketches.LoadAsync(baseModel, [.. members.Select(m => (m.Config, m.Weights))], cancellationToken);
        var candidates = new List<Candidate>();
        for (var i = 0; i < loaded.Count; i++)
        {
            if (loaded[i] is { IsZero: false } sketch
                && (similarity == AdapterSimilarity.Delta ? AdapterSketch.DeltaCosine(target, sketch) : AdapterSketch.FlatAbCosine(target, sketch)) is { } cosine)
                candidates.Add(new(members[i], sketch, cosine));
        }

        candidates.Sort((x, y) => y.Estimate.CompareTo(x.Estimate) is not 0 and var order
            ? order
            : string.CompareOrdinal(x.Member.Adapter.ToString(), y.Member.Adapter.ToString()));
        return (candidates, members.Count);
    }

    /// <summary>Those of the candidates that still exist for the caller, in order, as many as wanted.</summary>
    public async Task<List<Candidate>> ConfirmAsync(IEnumerable<Candidate> candidates, int count, Caller caller, CancellationToken cancellationToken)
    {
        var confirmed = new List<Candidate>();
        foreach (var candidate in candidates)
        {
            if (confirmed.Count >= count)
                break;
            if (await storage.Libraries.ConfirmAsync(candidate.Member, caller, cancellationToken) is { } member)
                confirmed.Add(candidate with { Member = member });
        }

        return confirmed;
    }
}

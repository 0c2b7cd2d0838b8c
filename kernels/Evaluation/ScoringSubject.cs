using System.Collections.Immutable;
using Marketplace.Kernels.Models;

namespace Marketplace.Kernels.Evaluation;

/// <summary>
/// What is scored: adapters that are active together, or a mixture, p(t) = Σ wᵢ·pᵢ(t) with weights that sum to 1. A mixture of mixtures is a mixture, so there is only one level.
/// </summary>
public sealed class ScoringSubject : IDisposable
{
    private ScoringSubject(ImmutableArray<(ActiveAdapters Active, double LogWeight)> parts) => Parts = parts;

    /// <summary>What is active in each part, and log wᵢ.</summary>
    internal ImmutableArray<(ActiveAdapters Active, double LogWeight)> Parts { get; }

    /// <summary>Adapters that are active together; they belong to the subject from here on.</summary>
    public static ScoringSubject Of(ActiveAdapters active) => new([(active, 0)]);

    /// <summary>A mixture; its parts belong to it from here on.</summary>
    /// <param name="parts">The parts with positive weights, which are scaled to sum to 1.</param>
    public static ScoringSubject Mixture(IReadOnlyList<(ScoringSubject Subject, double Weight)> parts)
    {
        var total = parts.Sum(p => p.Weight);
        return new([.. parts.SelectMany(p => p.Subject.Parts.Select(inner => (inner.Active, inner.LogWeight + Math.Log(p.Weight / total))))]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (active, _) in Parts.Where(p => !ReferenceEquals(p.Active, ActiveAdapters.None)))
            active.Dispose();
    }
}

/// <summary>Subjects side by side in one batch: part by part, each with the same rows.</summary>
internal sealed class SubjectRows
{
    private readonly IReadOnlyList<ScoringSubject> subjects;
    private readonly ImmutableArray<(ActiveAdapters Active, double LogWeight)> parts;

    public SubjectRows(IReadOnlyList<ScoringSubject> subjects)
    {
        this.subjects = subjects;
        parts = [.. subjects.SelectMany(s => s.Parts)];
    }

    /// <summary>Parts of all subjects.</summary>
    public int Parts => parts.Length;

    /// <summary>log w of a part.</summary>
    public double LogWeight(int part) => parts[part].LogWeight;

    /// <summary>The range of parts of each subject.</summary>
    public IEnumerable<(int Subject, int First, int Count)> Ranges()
    {
        for (var (s, first) = (0, 0); s < subjects.Count; first += subjects[s].Parts.Length, s++)
            yield return (s, first, subjects[s].Parts.Length);
    }

    /// <summary>The same for each part, one part after the other.</summary>
    public List<T> Repeat<T>(IReadOnlyList<T> rows) => [.. Enumerable.Repeat(rows, parts.Length).SelectMany(r => r)];

    /// <summary>What is active in a batch of so many rows for each part.</summary>
    /// <param name="rows">Rows of one part.</param>
    /// <param name="use">Takes it; it is gone afterwards.</param>
    public T With<T>(int rows, Func<ActiveAdapters, T> use)
    {
        if (parts.Length == 1)
            return use(parts[0].Active);
        using var active = ActiveAdapters.ByRow([.. parts.Select(p => (p.Active, rows))]);
        return use(active);
    }

    /// <summary>Splits subjects into runs of at most so many parts; a subject is never split, since its parts are mixed.</summary>
    public static IEnumerable<(int First, IReadOnlyList<ScoringSubject> Subjects)> Split(IReadOnlyList<ScoringSubject> subjects, int most)
    {
        for (var first = 0; first < subjects.Count;)
        {
            var (next, count) = (first, 0);
            while (next < subjects.Count && (next == first || count + subjects[next].Parts.Length <= most))
                count += subjects[next++].Parts.Length;
            yield return (first, [.. subjects.Skip(first).Take(next - first)]);
            first = next;
        }
    }
}

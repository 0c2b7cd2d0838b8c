using System.Collections.Immutable;

namespace Marketplace.Core.Evaluation;

/// <summary>Items of a set from a place on.</summary>
/// <param name="First">Index of the first, from 0.</param>
/// <param name="Count">How many.</param>
public readonly record struct ItemRange(int First, int Count)
{
    /// <summary>Index after the last.</summary>
    public int End => First + Count;
}

/// <summary>
/// What a model made of a range of a set's items, in the set's order. A part covers some of them, the predictions of a whole evaluation all. Parts of one
/// evaluation may overlap where work was done twice; of an item the part that starts first counts.
/// </summary>
/// <param name="Kind">The kind of the set, and of every item.</param>
/// <param name="First">Index in the set of the first item, from 0.</param>
/// <param name="Items">The items.</param>
public sealed record Predictions(EvaluationKind Kind, int First, ImmutableArray<ItemPrediction> Items)
{
    /// <summary>The items that are covered.</summary>
    public ItemRange Range => new(First, Items.Length);

    /// <summary>
    /// Why these can't be predictions of items of a set: another kind, items beyond its end, another number of choices, numbers that are not finite. Null if they can.
    /// </summary>
    public string? ProblemFor(EvaluationSet set)
    {
        if (Kind != set.Kind)
            return $"Predictions of the kind {Kind} for a set of the kind {set.Kind}.";
        if (First < 0 || Range.End > set.Items.Length)
            return $"Predictions of the items {First} to {Range.End - 1} for a set of {set.Items.Length} items.";
        for (var i = 0; i < Items.Length; i++)
        {
            if (Problem(Items[i], set.Items[First + i]) is { } problem)
                return $"Item {set.NameOf(First + i)}: {problem}";
        }

        return null;
    }

    /// <summary>The ranges of a set's items that no part covers, in order.</summary>
    /// <param name="parts">What there is of an evaluation.</param>
    /// <param name="count">Number of the set's items.</param>
    public static ImmutableArray<ItemRange> Missing(IEnumerable<ItemRange> parts, int count)
    {
        var missing = ImmutableArray.CreateBuilder<ItemRange>();
        var next = 0;
        foreach (var part in parts.Where(p => p.Count > 0).OrderBy(p => p.First))
        {
            if (part.First > next)
                missing.Add(new(next, part.First - next));
            next = Math.Max(next, part.End);
        }

        if (next < count)
            missing.Add(new(next, count - next));
        return missing.ToImmutable();
    }

    /// <summary>Joins parts into the predictions of a whole set; null while items are missing.</summary>
    /// <param name="parts">Parts of one evaluation, in any order.</param>
    /// <param name="count">Number of the set's items, at least 1.</param>
    /// <exception cref="ArgumentException">The parts are of several kinds.</exception>
    public static Predictions? Join(IReadOnlyCollection<Predictions> parts, int count)
    {
        if (!Missing(parts.Select(p => p.Range), count).IsEmpty)
            return null;
        if (parts.Select(p => p.Kind).Distinct().Count() > 1)
            throw new ArgumentException("The parts are of several kinds.", nameof(parts));
        var items = ImmutableArray.CreateBuilder<ItemPrediction>(count);
        foreach (var part in parts.OrderBy(p => p.First).ThenByDescending(p => p.Items.Length))
        {
            if (part.Range.End > items.Count)
                items.AddRange(part.Items.Skip(items.Count - part.First));
        }

        return new(parts.First().Kind, 0, items.ToImmutable());
    }

    /// <inheritdoc/>
    public bool Equals(Predictions? other) => other is not null && Kind == other.Kind && First == other.First && Items.SequenceEqual(other.Items);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kind, First, Items.Length);

    private static string? Problem(ItemPrediction prediction, EvaluationItem item) => (prediction, item) switch
    {
        (ChoicePrediction p, MultipleChoiceItem i) =>
            p.LogLikelihoods.Length != i.Choices.Length || p.Tokens.Length != i.Choices.Length || p.Bytes.Length != i.Choices.Length
                ? $"{p.LogLikelihoods.Length} log-likelihoods for {i.Choices.Length} choices."
                : p.LogLikelihoods.All(double.IsFinite) ? null : "A log-likelihood is not finite.",
        (ContinuationPrediction p, ContinuationItem) => double.IsFinite(p.LogLikelihood) ? null : "The log-likelihood is not finite.",
        (PerplexityPrediction p, PerplexityItem) => double.IsFinite(p.LogLikelihood) ? null : "The log-likelihood is not finite.",
        (GenerationPrediction, GenerationItem) => null,
        _ => "The prediction is of another kind.",
    };
}

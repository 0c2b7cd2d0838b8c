using System.Collections.Immutable;
using System.Numerics.Tensors;
using Marketplace.Core.Analysis;

namespace Marketplace.Core.Methods;

/// <summary>An adapter that takes no part in a clustering.</summary>
/// <param name="Index">Which.</param>
/// <param name="Reason">Why, in words.</param>
public sealed record ExcludedAdapter(int Index, string Reason);

/// <summary>Who of a library can be clustered.</summary>
/// <param name="Compared">Indices of those that are clustered, ascending.</param>
/// <param name="Zero">Indices of those that change nothing: they have no direction, and are a group of their own.</param>
/// <param name="Excluded">The others, ascending.</param>
public sealed record MbcSelection(ImmutableArray<int> Compared, ImmutableArray<int> Zero, ImmutableArray<ExcludedAdapter> Excluded)
{
    /// <summary>Name of the group of adapters whose ΔW are all zero.</summary>
    public const string ZeroBucket = "zero";

    /// <summary>Sorts a library by its sketches.</summary>
    /// <param name="sketches">A sketch for each adapter; null where there can be none because its factors are not finite.</param>
    /// <param name="similarity">What is to be compared. Flattened factors of different shapes can't be: then the shape that most adapters have is clustered, the first of equals.</param>
    public static MbcSelection Of(IReadOnlyList<AdapterSketch?> sketches, AdapterSimilarity similarity)
    {
        var (compared, zero, excluded) = (new List<int>(), ImmutableArray.CreateBuilder<int>(), new List<ExcludedAdapter>());
        for (var i = 0; i < sketches.Count; i++)
        {
            if (sketches[i] is not { } sketch)
                excluded.Add(new(i, "Its factors hold NaN or infinity, or are no longer stored: there is nothing to compare."));
            else if (sketch.IsZero)
                zero.Add(i);
            else if (!double.IsFinite(sketch.Norm) || !double.IsFinite(sketch.FlatNorm))
                excluded.Add(new(i, "Its factors hold NaN or infinity, or are so large that their norm is not finite."));
            else if (similarity == AdapterSimilarity.FlatAb && sketch.FlatAb.IsEmpty)
                excluded.Add(new(i, "A module has scaling 0, so B can't be told from ΔW."));
            else
                compared.Add(i);
        }

        if (similarity == AdapterSimilarity.FlatAb && compared.Count > 0)
        {
            var groups = compared.GroupBy(i => sketches[i]!.Shape, StringComparer.Ordinal).OrderByDescending(g => g.Count()).ThenBy(g => g.First()).ToList();
            foreach (var other in groups.Skip(1))
            {
                excluded.AddRange(other.Select(i => new ExcludedAdapter(
                    i, $"Its modules or ranks are not those of the {groups[0].Count()} adapters that were clustered: factors can be compared entry by entry only where they are the same.")));
            }

            compared = [.. groups[0]];
        }

        return new([.. compared.Order()], zero.ToImmutable(), [.. excluded.OrderBy(e => e.Index)]);
    }

    /// <summary>Takes out those that have a module of one name but of another size or kind than most have: they do not adapt the same model, whatever their configurations say.</summary>
    /// <param name="shape">Names the shape of each compared adapter; see <see cref="AdapterSketch.Shape"/>.</param>
    /// <param name="modules">The modules of a shape.</param>
    public MbcSelection WithoutContradictions(Func<int, string> shape, Func<string, IEnumerable<TargetModule>> modules)
    {
        var known = new Dictionary<string, TargetModule>(StringComparer.Ordinal);
        var (compared, excluded) = (new List<int>(), Excluded.ToList());
        foreach (var group in Compared.GroupBy(shape, StringComparer.Ordinal).OrderByDescending(g => g.Count()).ThenBy(g => g.First()))
        {
            var own = modules(group.Key).ToList();
            var wrong = own.Find(m => known.TryGetValue(m.Name, out var other) && (m.Kind, m.Out, m.In, m.Kernel) != (other.Kind, other.Out, other.In, other.Kernel));
            if (wrong is not null)
            {
                var other = known[wrong.Name];
                excluded.AddRange(group.Select(i => new ExcludedAdapter(
                    i, $"{wrong.Name} is {wrong.Kind} of shape {wrong.Out}×{wrong.In} here and {other.Kind} of {other.Out}×{other.In} in most of the library.")));
                continue;
            }

            own.ForEach(m => known.TryAdd(m.Name, m));
            compared.AddRange(group);
        }

        return this with { Compared = [.. compared.Order()], Excluded = [.. excluded.OrderBy(e => e.Index)] };
    }

    /// <summary>Takes out some more of those that would be compared.</summary>
    public MbcSelection Without(IReadOnlyDictionary<int, string> reasons) => this with
    {
        Compared = [.. Compared.Where(i => !reasons.ContainsKey(i))],
        Excluded = [.. Excluded.Concat(Compared.Where(reasons.ContainsKey).Select(i => new ExcludedAdapter(i, reasons[i]))).OrderBy(e => e.Index)],
    };

    /// <summary>The sketches that are compared, as rows.</summary>
    /// <param name="sketches">As given to <see cref="Of"/>.</param>
    /// <param name="similarity">Which: ΔW in directions only, or the sparsified factors as they are, since published MBC lets large ones count for more when it reduces dimensions.</param>
    public Matrix Sketches(IReadOnlyList<AdapterSketch?> sketches, AdapterSimilarity similarity)
    {
        var rows = new Matrix(Compared.Length, AdapterSketch.Size);
        for (var row = 0; row < rows.Rows; row++)
            Vector(sketches[Compared[row]]!, similarity, rows.Row(row));
        return rows;
    }

    /// <summary>One adapter's sketch as <see cref="Sketches"/> lays it out.</summary>
    public static void Vector(AdapterSketch sketch, AdapterSimilarity similarity, Span<double> target)
    {
        var values = similarity == AdapterSimilarity.FlatAb ? sketch.FlatAb : sketch.Delta;
        // In float32 the sum of squares of a large sketch could overflow.
        for (var i = 0; i < values.Length; i++)
            target[i] = values[i];
        if (similarity == AdapterSimilarity.Delta && TensorPrimitives.Norm<double>(target) is > 0 and var norm)
            TensorPrimitives.Divide(target, norm, target);
    }
}

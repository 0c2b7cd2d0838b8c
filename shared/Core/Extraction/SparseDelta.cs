using System.Collections.Immutable;

namespace Marketplace.Core.Extraction;

/// <summary>Why a sparse delta can't be read or used.</summary>
/// <param name="Code">One of the constants of this type, or of <see cref="Formats.WeightsProblem"/>.</param>
/// <param name="Message">The same in words.</param>
/// <param name="Tensor">The tensor concerned.</param>
public sealed record SparseProblem(string Code, string Message, string? Tensor = null)
{
    /// <summary>Indices without values, values without indices, or a tensor that is neither.</summary>
    public const string Unpaired = "sparse-unpaired";

    /// <summary>The shape of a tensor is missing or no list of positive numbers.</summary>
    public const string ShapeInvalid = "sparse-shape-invalid";

    /// <summary>Indices are no 64-bit integers, not ascending, or beyond the shape.</summary>
    public const string IndicesInvalid = "sparse-indices-invalid";

    /// <summary>Values are of a type that can't be computed with, not finite, or of another number than the indices.</summary>
    public const string ValuesInvalid = "sparse-values-invalid";

    /// <summary>Two deltas have a tensor of one name and different shapes.</summary>
    public const string ShapesDiffer = "sparse-shapes-differ";

    /// <summary>The number of entries asked for is not positive.</summary>
    public const string CountInvalid = "sparse-count-invalid";

    /// <summary>The adapter has magnitudes or other parts that ΔW = B·A does not express.</summary>
    public const string AdapterNotPlain = "sparse-adapter-not-plain";
}

/// <summary>The entries of one tensor that change.</summary>
/// <param name="Name">The tensor's name in the base model.</param>
/// <param name="Shape">Its shape as stored there.</param>
/// <param name="Indices">Row-major positions, ascending and different.</param>
/// <param name="Values">What is added at each.</param>
public sealed record SparseTensor(string Name, ImmutableArray<long> Shape, long[] Indices, double[] Values);

/// <summary>A change of few entries of a model: W = W₀ + δ, as sparse fine-tuning gives it (LT-SFT, arXiv 2110.07560).</summary>
public sealed class SparseDelta
{
    private readonly ImmutableSortedDictionary<string, SparseTensor> byName;

    /// <summary>A delta of tensors with different names; those without entries are left out.</summary>
    public SparseDelta(IEnumerable<SparseTensor> tensors) =>
        byName = tensors.Where(t => t.Indices.Length > 0).ToImmutableSortedDictionary(t => t.Name, t => t, StringComparer.Ordinal);

    /// <summary>The tensors in ordinal order of their names.</summary>
    public IEnumerable<SparseTensor> Tensors => byName.Values;

    /// <summary>Number of entries over all tensors.</summary>
    public long Count => byName.Values.Sum(t => t.Indices.LongLength);

    /// <summary>The tensor of that name, or null.</summary>
    public SparseTensor? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>
    /// Σ wₑδₑ over the union of the entries; where several have an entry, they add. The order of the sum is that of the terms, so that equal terms give equal bits.
    /// </summary>
    /// <param name="terms">Weights and deltas.</param>
    /// <param name="overlaps">Number of positions that more than one of them has.</param>
    /// <param name="problems">Tensors whose shapes differ; then there is no sum.</param>
    public static SparseDelta? Sum(IReadOnlyList<(double Weight, SparseDelta Delta)> terms, out long overlaps, out ImmutableArray<SparseProblem> problems)
    {
        overlaps = 0;
        var found = new List<SparseProblem>();
        var result = new List<SparseTensor>();
        foreach (var name in terms.SelectMany(t => t.Delta.byName.Keys).Distinct().Order(StringComparer.Ordinal))
        {
            var parts = terms.Where(t => t.Delta.Find(name) is not null).Select(t => (t.Weight, Tensor: t.Delta.Find(name)!)).ToList();
            if (parts.Any(p => !p.Tensor.Shape.SequenceEqual(parts[0].Tensor.Shape)))
            {
                found.Add(new(SparseProblem.ShapesDiffer, $"{name} has different shapes in the deltas.", name));
                continue;
            }

            var entries = new SortedDictionary<long, (double Value, int Times)>();
            foreach (var (weight, tensor) in parts)
                for (var i = 0; i < tensor.Indices.Length; i++)
                {
                    var (value, times) = entries.GetValueOrDefault(tensor.Indices[i]);
                    entries[tensor.Indices[i]] = (value + (weight * tensor.Values[i]), times + 1);
                }

            overlaps += entries.Values.Count(e => e.Times > 1);
            result.Add(new(name, parts[0].Tensor.Shape, [.. entries.Keys], [.. entries.Values.Select(e => e.Value)]));
        }

        problems = [.. found];
        return problems.IsEmpty ? new(result) : null;
    }

    /// <summary>Adds a tensor's entries, times <paramref name="weight"/>, to its values in row-major order; does nothing for a tensor without entries.</summary>
    public void AddTo(string name, Span<double> values, double weight = 1)
    {
        if (Find(name) is not { } tensor)
            return;
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, LinearIndex.Elements(tensor.Shape.AsSpan()));
        for (var i = 0; i < tensor.Indices.Length; i++)
            values[(int)tensor.Indices[i]] += weight * tensor.Values[i];
    }
}

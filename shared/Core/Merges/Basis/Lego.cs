using System.Collections.Immutable;
using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges.Basis;

/// <summary>
/// LoRA-LEGO (arXiv 2409.16167): every input is taken apart into its minimal semantic units, pairs of a row a of A and a column b of B, ΔW = Σ b·aᵀ. The units
/// of all inputs, as points [a; b], are put into k clusters, and the means of the clusters are the units of the result, k its rank.
/// </summary>
/// <remarks>
/// <para>
/// The weight and the scaling are split evenly, √|w·s| into a and into b, a negative sign into b. The decomposition into units is not unique, and the result
/// depends on it: it is that of the factors as they were trained, unless <c>svd_basis</c> takes each input's singular vectors instead. What differs without
/// meaning anything is made equal first (<c>units: canonical</c>): |a| = |b|, and the entry of a of largest magnitude is positive. Units are pooled in the order
/// of their numbers, so the order of inputs doesn't matter.
/// </para>
/// <para>
/// Units that vanish are left out. k is the recipe's rank; without one, or where it asks for an energy or for lossless, the largest number of units of one
/// input. From as many clusters as there are units on, each unit is a cluster, and the result is the weighted sum. Clusters that equal points leave empty have
/// no unit in the result.
/// </para>
/// <para>
/// Means are shorter than what they are means of: each is stretched to the mean norm of its members (a mean of zero stays). Then √(r ∕ k), r the mean number of
/// units of the inputs that have any, keeps the size of the output when the rank changes.
/// </para>
/// </remarks>
internal static class Lego
{
    private const int Starts = 10;

    /// <summary>The method.</summary>
    public static MergeMethod Method { get; } = new(
        "lego", MethodClass.Basis, "Rows of A with their columns of B are clustered, and the clusters' means are the result's (LoRA-LEGO, arXiv 2409.16167)", Compute)
    {
        Parameters =
        [
            LinearMethods.Lambda,
            MethodParameter.OfChoice("parameter_reweighting", "Which norm of a cluster's mean is brought back to the mean norm of its members", "inf", "l2", "none"),
            MethodParameter.OfFlag("output_reweighting", true, "Whether the result is multiplied by √(mean rank of the inputs ∕ rank of the result)"),
            MethodParameter.OfChoice("units", "Whether each unit is first balanced, with a canonical sign, or taken as it was trained", "canonical", "as_trained"),
            MethodParameter.OfFlag("svd_basis", false, "Whether each input is first rewritten in its singular vectors: then the result does not depend on how ΔW is factored"),
        ],
    };

    private static Recompression Compute(MergeStep step, IMergeKernels kernels)
    {
        var (units, sources) = Pool(step, kernels);
        if (units.Rows == 0)
            return BasisSource.Nothing(step, kernels);
        var k = Math.Min(step.Rank?.Rank ?? sources.Max(), units.Rows);
        var partition = k == units.Rows ? null : KMeans.Run(Coordinates(units, kernels), k, step.Seed, Starts, $"lego {step.Module.Name}");
        var means = partition is null ? units : Means(units, partition, step.Parameters.Choice("parameter_reweighting"));
        var output = step.Parameters.Flag("output_reweighting") ? Math.Sqrt(sources.Average() / k) : 1;
        var (b, a) = (new Matrix(step.Module.Out, means.Rows), new Matrix(means.Rows, step.Module.In));
        for (var c = 0; c < means.Rows; c++)
        {
            means.Row(c)[..a.Columns].CopyTo(a.Row(c));
            for (var i = 0; i < b.Rows; i++)
                b[i, c] = means[c, a.Columns + i];
        }

        return BasisSource.Finish(step, new(b, a), kernels, output);
    }

    /// <summary>All units that don't vanish, as rows [a; b] in ascending order of their numbers, and how many each input has that has any.</summary>
    internal static (Matrix Units, ImmutableArray<int> Sources) Pool(MergeStep step, IMergeKernels kernels)
    {
        var units = new List<double[]>();
        var sources = ImmutableArray.CreateBuilder<int>();
        foreach (var (input, delta) in step.Present())
        {
            var before = units.Count;
            units.AddRange(Units(step, input, delta, kernels));
            if (units.Count > before)
                sources.Add(units.Count - before);
        }

        units.Sort((x, y) => x.AsSpan().SequenceCompareTo(y));
        return (new(units.Count, step.Module.In + step.Module.Out, [.. units.SelectMany(u => u)]), sources.ToImmutable());
    }

    // The units in a basis of what they span, which has their distances in few numbers. The product is Core's own: equal units must stay equal to the bit.
    private static Matrix Coordinates(Matrix units, IMergeKernels kernels) => units.Rows >= units.Columns
        ? units
        : MatrixMath.Times(units, kernels.Qr(MatrixMath.Transpose(units)).Q);

    private static IEnumerable<double[]> Units(MergeStep step, StepInput input, LowRankDelta delta, IMergeKernels kernels)
    {
        var svd = step.Parameters.Flag("svd_basis");
        var factors = svd ? kernels.Recompress(delta, RankPolicy.Lossless).Delta : delta;
        var scaling = svd ? 1 : input.Scaling; // is folded into B, half of it belongs into A
        var canonical = step.Parameters.Choice("units") == "canonical";
        var columns = MatrixMath.Transpose(factors.B);
        for (var j = 0; j < factors.Rank; j++)
        {
            double norm = TensorPrimitives.Norm<double>(factors.A.Row(j)), other = TensorPrimitives.Norm<double>(columns.Row(j));
            if (norm == 0 || other == 0 || input.Weight == 0)
                continue;
            var sign = canonical && MatrixMath.LargestIsNegative(factors.A.Row(j)) ? -1 : 1;
            var ofA = sign * Math.Sqrt(Math.Abs(input.Weight) * (canonical ? other / norm : Math.Abs(scaling)));
            var unit = new double[delta.In + delta.Out];
            TensorPrimitives.Multiply(factors.A.Row(j), ofA, unit);
            TensorPrimitives.Multiply(columns.Row(j), input.Weight / ofA, unit.AsSpan(delta.In));
            yield return unit;
        }
    }

    private static Matrix Means(Matrix units, Partition partition, string norm)
    {
        var sizes = partition.Labels.CountBy(l => l).ToDictionary(); // none for an empty cluster
        var means = new Matrix(sizes.Count, units.Columns);
        var norms = new double[sizes.Count];
        for (var i = 0; i < units.Rows; i++)
        {
            var label = partition.Labels[i]; // by first appearance, so empty clusters come last
            MatrixMath.AddScaled(units.Row(i), 1d / sizes[label], means.Row(label));
            norms[label] += Norm(units.Row(i), norm) / sizes[label];
        }

        for (var c = 0; norm != "none" && c < means.Rows; c++)
        {
            var own = Norm(means.Row(c), norm);
            SharedSpan.ScaleRow(means, c, own == 0 ? 1 : norms[c] / own);
        }

        return means;
    }

    private static double Norm(ReadOnlySpan<double> x, string norm) =>
        norm == "l2" ? TensorPrimitives.Norm(x) : Math.Abs(TensorPrimitives.MaxMagnitude(x));
}

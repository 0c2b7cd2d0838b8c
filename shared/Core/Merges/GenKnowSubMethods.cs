using System.Collections.Immutable;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges.Basis;

namespace Marketplace.Core.Merges;

/// <summary>
/// General knowledge subtracted from a task adapter in other ways than exactly (<see cref="LinearMethods.GenKnowSub"/>). The first input is the target, the
/// others are general adapters.
/// </summary>
public static class GenKnowSubMethods
{
    /// <summary>Name of the projection.</summary>
    public const string Project = "genknowsub_project";

    /// <summary>Name of the subtraction of factors.</summary>
    public const string Factorwise = "genknowsub_factorwise";

    /// <summary>The side that a projection works on: <c>input</c>, <c>output</c> or <c>both</c>.</summary>
    public const string Side = "side";

    private const string Output = "output";
    private const string Both = "both";

    /// <summary>
    /// All of them. The default side of a projection is the input: routers choose by the directions of the input that an adapter reads (its prototypes), and
    /// a residual that is orthogonal to those of the general adapters answers nothing, and claims nothing, where they speak. What the residual writes stays
    /// free, since tasks and general text share their output directions by design: both end in the same vocabulary.
    /// </summary>
    public static ImmutableArray<MergeMethod> All { get; } =
    [
        new(
            Project, MethodClass.Basis,
            "ΔW = w₁·(I − βQ_bQ_bᵀ)·ΔW₁·(I − βQ_aQ_aᵀ), Q_a and Q_b spanning what the other inputs read and write; the rank stays; of their weights only zero matters", Projected)
        {
            MinInputs = 2, SubtractsGeneral = true,
            Parameters =
            [
                MethodParameter.OfChoice(Side, "Which side is projected: what the target reads, what it writes, or both", "input", Output, Both),
                MethodParameter.OfNumber("beta", 1, "β, how much of the component is removed") with { Min = 0, Max = 1 },
            ],
        },
        new(
            Factorwise, MethodClass.Factorwise,
            "A = A₁ − β·Σ wₑAₑ ∕ Σ wₑ and B = B₁ − β·Σ wₑBₑ ∕ Σ wₑ over the other inputs, with the scaling of the first: PEFT's Arrow with GenKnowSub. No subtraction of ΔW",
            OfFactors)
        {
            MinInputs = 2, SubtractsGeneral = true, Rank = DefaultRank.AsIs,
            Parameters = [MethodParameter.OfNumber("beta", 1, "β, how much of the weighted means is subtracted")],
            Refuse = (weights, _) => LinearMethods.Divisor(weights.AsSpan()[1..]),
        },
    ];

    /// <summary>
    /// An orthonormal basis, as rows, of what deltas together read (rows of A) or write (columns of B). It spans the row or column space of each ΔW, not of its
    /// factors: a factor beside one that vanishes counts for nothing, and so do zero rows.
    /// </summary>
    /// <param name="sources">Deltas in the balanced factors of their singular value decompositions.</param>
    /// <param name="written">Whether the column space is asked for.</param>
    /// <param name="kernels">Who computes.</param>
    /// <returns>Shape (q, in) or (q, out); null if nothing is spanned.</returns>
    internal static Matrix? Span(IReadOnlyList<LowRankDelta> sources, bool written, IMergeKernels kernels)
    {
        if (sources.Count == 0)
            return null;
        Matrix[] blocks = [.. sources.Select(s => written ? MatrixMath.Transpose(s.B) : s.A)];
        var stacked = new Matrix(blocks.Sum(b => b.Rows), blocks[0].Columns);
        var row = 0;
        foreach (var block in blocks)
        {
            for (var i = 0; i < block.Rows; i++, row++)
            {
                // Unit rows: how strong an adapter is in a direction decides nothing but whether it has it.
                block.Row(i).CopyTo(stacked.Row(row));
                SharedSpan.ScaleRow(stacked, row, 1 / System.Numerics.Tensors.TensorPrimitives.Norm<double>(block.Row(i)));
            }
        }

        return SharedSpan.OfRows(stacked, kernels).Basis;
    }

    private static Recompression Projected(MergeStep step, IMergeKernels kernels)
    {
        var sources = BasisSource.Of(step, kernels);
        var target = sources.FirstOrDefault(s => ReferenceEquals(s.Input, step.Inputs[0]));
        if (target is null || target.Input.Weight == 0)
            return BasisSource.Nothing(step, kernels);
        LowRankDelta[] general = [.. sources.Where(s => s != target && s.Input.Weight != 0).Select(s => s.Delta)];
        var (side, beta) = (step.Parameters.Choice(Side), step.Parameters.Number("beta"));
        var (b, a) = (target.Delta.B, target.Delta.A);
        if (side != Output && Span(general, written: false, kernels) is { } read)
            a = Without(a, read, beta, kernels);
        if (side is Output or Both && Span(general, written: true, kernels) is { } written)
            b = MatrixMath.Transpose(Without(MatrixMath.Transpose(b), written, beta, kernels));
        var residual = Deltas.WeightedSum([(target.Input.Weight, new(b, a))]);
        // What rounding leaves of a target that lies within the span is no direction of its own.
        return Deltas.Norm(residual) <= SharedSpan.Tolerance * Math.Abs(target.Input.Weight) * target.Norm
            ? BasisSource.Nothing(step, kernels)
            : kernels.Recompress(residual, step.Rank);
    }

    // X·(I − βQᵀQ), Q with orthonormal rows.
    private static Matrix Without(Matrix x, Matrix basis, double beta, IMergeKernels kernels)
    {
        var component = kernels.Times(kernels.TimesTransposed(x, basis), basis);
        var result = new Matrix(x.Rows, x.Columns, [.. x.Values]);
        MatrixMath.AddScaled(component.Values, -beta, result.Values);
        return result;
    }

    private static Recompression OfFactors(MergeStep step, IMergeKernels kernels)
    {
        var (target, general) = (step.Inputs[0], step.Inputs[1..]);
        var (sum, beta) = (general.Sum(g => g.Weight), step.Parameters.Number("beta"));
        Matrix a = Copy(target.Delta!.A), b = Copy(target.Delta.B);
        foreach (var input in general)
        {
            var share = -beta * input.Weight / sum;
            MatrixMath.AddScaled(input.Delta!.A.Values, share, a.Values);
            // B as the file has it is B ∕ s; the result is scaled by the target's s, whatever those of the others are.
            MatrixMath.AddScaled(input.Delta.B.Values, share * target.Scaling / input.Scaling, b.Values);
        }

        return kernels.Recompress(Deltas.WeightedSum([(target.Weight, new(b, a))]), step.Rank);
    }

    private static Matrix Copy(Matrix matrix) => new(matrix.Rows, matrix.Columns, [.. matrix.Values]);
}

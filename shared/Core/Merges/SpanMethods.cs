using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>
/// Methods whose result is Σ cₑΔWₑ with coefficients that follow from inner products of ΔW: exact in factored form, at rank Σ rₑ at most. They are applied
/// to ΔW, not to whole weights. A missing module is ΔW = 0: it has length zero and no direction.
/// </summary>
public static class SpanMethods
{
    private const string Interpolate = "t";
    private const string Normalize = "normalize_weights";
    private const string MaxIterations = "max_iter";
    private const string Tolerance = "tol";
    private const string FilterWise = "filter_wise";
    private const string Per = "per";
    private const string Whole = "matrix";
    private const string Row = "row";
    private const string Column = "column";

    private const double SmallestSum = 1e-6; // mergekit's guard for weights that have no ratio

    /// <summary>All of them.</summary>
    public static ImmutableArray<MergeMethod> All { get; } =
    [
        new("slerp", MethodClass.Span, "Along the arc from ΔW₁ to ΔW₂: λ·(sin((1 − t)θ)·ΔW₁ + sin(tθ)·ΔW₂) ∕ sin θ; linear where |cos θ| > 0.9995", Slerp)
        {
            MinInputs = 2, MaxInputs = 2, Weighted = false,
            Parameters =
            [
                MethodParameter.OfNumber(Interpolate, 0.5, "t, how far along: 0 is the first input, 1 the second") with { Min = 0, Max = 1 },
                LinearMethods.Lambda,
            ],
        },
        new("nuslerp", MethodClass.Span, "As slerp, with t = w₂ ∕ (w₁ + w₂) from the weights (½ where they add up to nothing), and the angle of whole matrices, rows or columns", NuSlerp)
        {
            MinInputs = 2, MaxInputs = 2,
            Parameters =
            [
                MethodParameter.OfChoice(Per,
                    "What is turned by an angle of its own: the whole matrix (mergekit's nuslerp_flatten: true), each row, that is output unit (nuslerp_flatten: "
                    + "false), or each column, that is input unit (nuslerp_flatten: false with nuslerp_row_wise: true, whose name reads the other way round)",
                    Whole, Row, Column),
                LinearMethods.Lambda,
            ],
        },
        new("multislerp", MethodClass.Span, "The direction of Σ wₑΔWₑ∕|ΔWₑ| with the length Σ wₑ|ΔWₑ|; the straight sum where the directions cancel", MultiSlerp)
        {
            Parameters = [LinearMethods.Lambda, MethodParameter.OfFlag(Normalize, true, "Whether to divide the weights by their sum")],
            Refuse = (weights, parameters) => parameters.Flag(Normalize) ? LinearMethods.Divisor(weights.AsSpan()) : null,
        },
        new("karcher", MethodClass.Span, "The Riemannian centre of mass of the directions ΔWₑ∕|ΔWₑ|, by iteration, with the length Σ αₑ|ΔWₑ|, α = w ∕ Σ w", Karcher)
        {
            Parameters =
            [
                LinearMethods.Lambda,
                MethodParameter.OfWholeNumber(MaxIterations, 10, "Most iterations") with { Min = 1, Max = 10_000 },
                MethodParameter.OfNumber(Tolerance, 1e-5, "The step, as an angle, at which the iteration ends") with { Min = 0, AboveMin = true },
            ],
            Refuse = (weights, _) => weights.Any(w => w < 0) ? "A centre of mass needs weights that are not negative." : LinearMethods.Divisor(weights.AsSpan()),
        },
        new("model_stock", MethodClass.Span, "λ·t·mean ΔWₑ with t = K·c ∕ (1 + (K − 1)·c), c the mean cosine of pairs: the less the inputs agree, the less of them (arXiv 2403.19522)", ModelStock)
        {
            MinInputs = 2, Weighted = false,
            Parameters = [LinearMethods.Lambda, MethodParameter.OfFlag(FilterWise, false, "Whether each row, that is output unit, has a t of its own")],
        },
    ];

    private static Recompression Slerp(MergeStep step, IMergeKernels kernels)
    {
        var t = step.Parameters.Number(Interpolate);
        return Combine(step, kernels, gram => SphericalCoefficients.Slerp(gram, t));
    }

    private static Recompression NuSlerp(MergeStep step, IMergeKernels kernels)
    {
        var weights = step.Weights();
        var sum = weights[0] + weights[1];
        var t = Math.Abs(sum) < SmallestSum ? 0.5 : weights[1] / sum;
        return Combine(step, kernels, gram => SphericalCoefficients.NuSlerp(gram, t), step.Parameters.Choice(Per));
    }

    private static Recompression MultiSlerp(MergeStep step, IMergeKernels kernels)
    {
        var weights = step.Parameters.Flag(Normalize) ? Shares(step.Weights()) : [.. step.Weights()];
        return Combine(step, kernels, gram => SphericalCoefficients.MultiSlerp(gram, weights));
    }

    private static Recompression Karcher(MergeStep step, IMergeKernels kernels)
    {
        var shares = Shares(step.Weights());
        var (iterations, tolerance) = (step.Parameters.WholeNumber(MaxIterations), step.Parameters.Number(Tolerance));
        return Combine(step, kernels, gram => SphericalCoefficients.Karcher(gram, shares, iterations, tolerance));
    }

    private static Recompression ModelStock(MergeStep step, IMergeKernels kernels) =>
        Combine(step, kernels, SphericalCoefficients.ModelStock, step.Parameters.Flag(FilterWise) ? Row : Whole);

    // λ·Σ cₑΔWₑ with coefficients that follow from the Gram matrix of whole matrices, of each row or of each column.
    private static Recompression Combine(MergeStep step, IMergeKernels kernels, Func<Matrix, double[]> coefficients, string per = Whole)
    {
        var lambda = step.Parameters.Number(LinearMethods.Lambda.Name);
        return per switch
        {
            Row => RowSpan.Combine(step, kernels, Scaled),
            Column => RowSpan.CombineColumns(step, kernels, Scaled),
            _ => step.Combine(Scaled(SphericalCoefficients.WithoutNoise(kernels.Gram(step.Deltas()), step.Deltas())), kernels),
        };

        double[] Scaled(Matrix gram) => Array.ConvertAll(coefficients(gram), c => lambda * c);
    }

    private static double[] Shares(ImmutableArray<double> weights) => [.. weights.Select(w => w / weights.Sum())];
}

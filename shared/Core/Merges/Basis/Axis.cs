using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges.Basis;

/// <summary>
/// AXIS (arXiv 2508.19353), without its training of singular values: each wₑΔWₑ is a sum of axes σ·u·vᵀ, the strongest axes of all inputs together are kept,
/// and their sum is decomposed again, since axes of different inputs are not orthogonal.
/// </summary>
/// <remarks>
/// Equals are ordered by the inputs' content, then by their place. Axes that vanish don't count. The default number, the largest rank among the inputs, leaves a
/// single input as it is; the paper keeps about a tenth of a weight matrix's full rank, far more than a LoRA has.
/// </remarks>
internal static class Axis
{
    private const double Rounding = 1e-9; // so that a third of 9 axes is 3
    private const int Digits = 10; // what differs by rounding is equal

    /// <summary>The method.</summary>
    public static MergeMethod Method { get; } = new(
        "axis", MethodClass.Basis, "The strongest of all inputs' singular axes, added up (arXiv 2508.19353, without training)", Compute)
    {
        Parameters =
        [
            LinearMethods.Lambda,
            MethodParameter.OfWholeNumber("axes", null, "How many axes are kept; the largest rank among the inputs if neither this nor a share is given") with { Min = 1 },
            MethodParameter.OfNumber("share", null, "Instead: which share of the axes of all inputs is kept, rounded up") with { Min = 0, AboveMin = true, Max = 1 },
            MethodParameter.OfFlag("normalize_sources", false, "Whether every ΔWₑ is first brought to the mean norm of all, so that none prevails by its size"),
        ],
        Refuse = (_, parameters) => parameters.OptionalNumber("axes") is not null && parameters.OptionalNumber("share") is not null
            ? "A number of axes and a share of them exclude each other." : null,
    };

    private static Recompression Compute(MergeStep step, IMergeKernels kernels)
    {
        var sources = BasisSource.Of(step, kernels).RemoveAll(s => s.Input.Weight == 0);
        if (sources.IsEmpty)
            return BasisSource.Nothing(step, kernels);
        var norm = step.Parameters.Flag("normalize_sources") ? sources.Average(s => s.Norm) : 0;
        double[] factors = [.. sources.Select(s => s.Input.Weight * (norm > 0 ? norm / s.Norm : 1))];
        var pool = sources
            .SelectMany((source, e) => source.S.Select((sigma, i) => (Source: e, Index: i, Sigma: Math.Abs(factors[e]) * sigma)))
            .ToList();
        var strongest = pool.Max(a => a.Sigma);
        var kept = pool
            .OrderByDescending(a => Math.Round(a.Sigma / strongest, Digits))
            .ThenBy(a => sources[a.Source].Input.Key, StringComparer.Ordinal).ThenBy(a => a.Source).ThenBy(a => a.Index)
            .Take(Count(step.Parameters, pool.Count, sources))
            .ToList();

        var (b, a) = (new Matrix(step.Module.Out, kept.Count), new Matrix(kept.Count, step.Module.In));
        for (var k = 0; k < kept.Count; k++)
        {
            var (source, index) = (kept[k].Source, kept[k].Index);
            sources[source].Delta.A.Row(index).CopyTo(a.Row(k));
            for (var i = 0; i < b.Rows; i++)
                b[i, k] = factors[source] * sources[source].Delta.B[i, index];
        }

        return BasisSource.Finish(step, new(b, a), kernels);
    }

    private static int Count(ParameterValues parameters, int pool, ImmutableArray<BasisSource> sources) =>
        parameters.OptionalNumber("axes") is { } axes ? (int)axes
        : parameters.OptionalNumber("share") is { } share ? Math.Max(1, (int)Math.Ceiling((share * pool) - Rounding))
        : sources.Max(s => s.S.Length);
}

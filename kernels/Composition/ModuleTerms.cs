using System.Numerics.Tensors;
using System.Text.RegularExpressions;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Composition;
using Marketplace.Core.Merges;

namespace Marketplace.Kernels.Composition;

/// <summary>
/// What is learned at one module: ΔW = (B ∘ C)·A + fixed. The entry of C for row i of B and column j is θ[columns[j], rows[i]], θ being a table that the modules of a group share. So
/// coefficients, factors of rows and singular values are one form, each stays low rank, and ΔW is never formed.
/// </summary>
/// <param name="Module">The module.</param>
/// <param name="Learned">B (out, R) and A (R, in) of all that has coefficients.</param>
/// <param name="Fixed">What has none; null for nothing.</param>
/// <param name="Group">Which table of coefficients.</param>
/// <param name="Start">The table where learning starts, shape (slots, width).</param>
/// <param name="Columns">For each of R columns its slot.</param>
/// <param name="Rows">For each of out rows its column of the table; null where the table has one column for all rows, or one for each.</param>
internal sealed partial record ModuleTerms(TargetModule Module, LowRankDelta Learned, LowRankDelta? Fixed, string Group, Matrix Start, int[] Columns, int[]? Rows = null)
{
    private const double ScaLearnDeviation = 1e-3;

    /// <summary>The terms of a method at one module.</summary>
    public static ModuleTerms Of(CompositionSettings settings, MergeStep step, IMergeKernels kernels) => settings.Method.Name switch
    {
        CompositionMethods.Axis => Axes(settings, step, kernels),
        CompositionMethods.ScaLearn => Scaled(settings, step),
        _ => Weighted(settings, step),
    };

    /// <summary>ΔW with a table of coefficients, by the exact factored sum.</summary>
    /// <param name="theta">Values of the group's table, shape as <see cref="Start"/>.</param>
    public LowRankDelta Sum(Matrix theta)
    {
        var terms = new List<(double, LowRankDelta)>();
        for (var first = 0; first < Columns.Length;)
        {
            var (slot, after) = (Columns[first], first + 1);
            while (after < Columns.Length && Columns[after] == slot)
                after++;
            var part = Slice(first, after - first);
            terms.Add(theta.Columns == 1 ? (theta[slot, 0], part) : (1, new(ScaleRows(part.B, theta.Row(slot)), part.A)));
            first = after;
        }

        if (Fixed is not null)
            terms.Add((1, Fixed));
        return Deltas.WeightedSum(terms);
    }

    private static ModuleTerms Weighted(CompositionSettings settings, MergeStep step)
    {
        var (partition, sources) = (settings.Has("partition") ? settings.Choice("partition") : "none", step.Inputs.Length);
        var blocks = partition == "none" ? 1 : settings.WholeNumber("blocks");
        var learned = new List<LowRankDelta>();
        var columns = new List<int>();
        foreach (var (source, delta) in Present(step))
        {
            // By singular axes, and not by ranks as they are stored: the result depends on ΔW only.
            var factors = partition == CompositionMethods.Ranks ? Recompression.Of(delta, RankPolicy.Lossless).Delta : delta;
            learned.Add(factors);
            for (var r = 0; r < factors.Rank; r++)
                columns.Add(partition == CompositionMethods.Ranks ? (source * blocks) + (int)((long)r * blocks / factors.Rank) : source);
        }

        var group = settings.Choice("granularity") switch
        {
            CompositionMethods.Global => "",
            CompositionMethods.Layer => LayerOf(step.Module.Name),
            _ => step.Module.Name,
        };
        return partition == CompositionMethods.Rows
            ? new(step.Module, Concatenate(learned), null, group, new Matrix(sources, blocks), [.. columns], [.. Enumerable.Range(0, step.Module.Out).Select(i => (int)((long)i * blocks / step.Module.Out))])
            : new(step.Module, Concatenate(learned), null, group, new Matrix(sources * blocks, 1), [.. columns]);
    }

    private static ModuleTerms Scaled(CompositionSettings settings, MergeStep step)
    {
        var (sources, width) = (step.Inputs.Length, settings.Flag("uniform") ? 1 : step.Module.Out);
        var present = Present(step).ToList();
        var group = settings.Choice("granularity") == CompositionMethods.Shared ? $"{Layers().Replace(step.Module.Name, ".*.")} {width}" : step.Module.Name;
        var start = new Matrix(sources, width);
        var random = new NormalNumbers(settings.Seed, $"scalearn {group}");
        for (var i = 0; i < start.Values.Length; i++)
            start.Values[i] = (2.0 / sources) + (ScaLearnDeviation * random.Next());
        return new(step.Module, Concatenate([.. present.Select(p => p.Delta)]), null, group, start, [.. present.SelectMany(p => Enumerable.Repeat(p.Source, p.Delta.Rank))]);
    }

    private static ModuleTerms Axes(CompositionSettings settings, MergeStep step, IMergeKernels kernels)
    {
        var pooled = MergeMethods.Find(CompositionMethods.Axis)!.Compute(step with { Rank = RankPolicy.Lossless }, kernels).Delta;
        var svd = LowRankSvd.Of(pooled);
        var kept = RankPolicy.Lossless.Keep(svd.S, svd.Noise);
        if (kept == 0)
            return new(step.Module, pooled, null, step.Module.Name, new Matrix(1, 1), new int[pooled.Rank]);
        var trained = Math.Clamp((int)Math.Ceiling(settings.Number("trained") * kept - 1e-9), 1, kept);
        LowRankDelta Part(int from, int count, bool weighted)
        {
            var (b, a) = (new Matrix(step.Module.Out, count), new Matrix(count, step.Module.In));
            for (var k = 0; k < count; k++)
            {
                svd.Vt.Row(from + k).CopyTo(a.Row(k));
                for (var i = 0; i < b.Rows; i++)
                    b[i, k] = svd.Ut[from + k, i] * (weighted ? svd.S[from + k] : 1);
            }

            return new(b, a);
        }

        return new(
            step.Module, Part(0, trained, weighted: false), trained < kept ? Part(trained, kept - trained, weighted: true) : null, step.Module.Name,
            new Matrix(trained, 1, [.. svd.S.Take(trained)]), [.. Enumerable.Range(0, trained)]);
    }

    private static IEnumerable<(int Source, LowRankDelta Delta)> Present(MergeStep step) =>
        step.Inputs.Select((input, source) => (source, input.Delta)).Where(i => i.Delta is not null).Select(i => (i.source, i.Delta!));

    private static LowRankDelta Concatenate(IReadOnlyList<LowRankDelta> deltas) => Deltas.WeightedSum([.. deltas.Select(d => (1.0, d))]);

    // model.layers.3.self_attn.q_proj is in model.layers.3; what is in no layer is by itself.
    private static string LayerOf(string module) => Layers().Match(module) is { Success: true } found ? module[..(found.Index + found.Length - 1)] : module;

    private Matrix ScaleRows(Matrix b, ReadOnlySpan<double> factors)
    {
        var scaled = new Matrix(b.Rows, b.Columns);
        for (var i = 0; i < b.Rows; i++)
            TensorPrimitives.Multiply<double>(b.Row(i), factors[Rows is null ? i : Rows[i]], scaled.Row(i));
        return scaled;
    }

    private LowRankDelta Slice(int first, int count)
    {
        var (b, a) = (new Matrix(Learned.Out, count), new Matrix(count, Learned.In));
        for (var i = 0; i < b.Rows; i++)
            Learned.B.Row(i).Slice(first, count).CopyTo(b.Row(i));
        Learned.A.Values.AsSpan(first * a.Columns, a.Values.Length).CopyTo(a.Values);
        return new(b, a);
    }

    [GeneratedRegex(@"\.\d+\.")]
    private static partial Regex Layers();
}

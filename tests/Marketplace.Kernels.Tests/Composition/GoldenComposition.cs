using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Composition;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Composition;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Composition;

/// <summary>Three adapters in closed form (6×5, rank 2, scales 2, 1, ½) as sources of a composition, in float64.</summary>
internal static class GoldenComposition
{
    public const string Module = "model.layers.0.self_attn.q_proj";

    private static readonly double[] Scales = [2, 1, 0.5];

    public static LowRankDelta[] Deltas { get; } = [.. Enumerable.Range(0, 3).Select(Delta)];

    public static IReadOnlyList<Adapter> Adapters { get; } =
        [.. Deltas.Select(d => new Adapter(new AdapterConfig { Rank = 2 }, [new(Module, ModuleKind.Linear, 6, 5, 2, 1)], _ => d))];

    public static ModuleTerms Terms(CompositionSettings settings, params IReadOnlyList<Adapter> adapters)
    {
        ModuleTerms? terms = null;
        var plan = SampleLibrary.Plan(adapters.Count == 0 ? Adapters : adapters, settings);
        var node = plan.Modules[0].Nodes[^1];
        // As a merge of the plan asks for them.
        Recompression Compute(MergeStep step, IMergeKernels kernels)
        {
            terms = ModuleTerms.Of(settings, step, kernels);
            return Recompression.Of(step.Deltas()[0], RankPolicy.Lossless);
        }

        Merging.Merge(
            plan.Modules[0] with { Nodes = [node with { Node = node.Node with { Method = node.Node.Method with { Compute = Compute } } }] },
            adapters.Count == 0 ? Adapters : adapters, SampleLibrary.Kernels);
        return terms!;
    }

    /// <summary>ΔW as autograd sees it, (6, 5).</summary>
    public static Tensor Dense(ComposedAdapters composed)
    {
        var factors = composed.Factors()[Module];
        return factors.B.matmul(factors.A);
    }

    public static Tensor Dense(LowRankDelta delta) => Tensor(delta.B).matmul(Tensor(delta.A));

    public static Tensor Tensor(Matrix matrix) => from_array(matrix.Values).reshape(matrix.Rows, matrix.Columns);

    private static LowRankDelta Delta(int e)
    {
        var (b, a) = (new Matrix(6, 2), new Matrix(2, 5));
        for (var j = 0; j < 2; j++)
        {
            for (var i = 0; i < 6; i++)
                b[i, j] = Scales[e] * Math.Sin((1.1 * (i + 1) * (j + 1)) + (0.5 * e));
            for (var c = 0; c < 5; c++)
                a[j, c] = Math.Cos((0.7 * (j + 1) * (c + 1)) + (0.3 * e));
        }

        return new(b, a);
    }
}

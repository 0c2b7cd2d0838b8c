using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>
/// What PEFT's <c>add_weighted_adapter</c> does: A and B are merged apart, with coefficients √|wₑsₑ| on either and the sign on A, s being the adapter's
/// scaling and B without it. The products hold cross terms BₑA_f, so this is no merge of ΔW: two copies of half weight become twice the adapter, and the
/// result changes when ΔW is factored otherwise. All inputs need the module at one rank; the result has that rank, and alpha = r. As in PEFT, a single input
/// is only weighted, whatever the method. (PEFT's own <c>*_svd</c> types apply the scaling twice in some versions; the element-wise methods of the same
/// names do not.)
/// </summary>
public static class FactorwiseMethods
{
    private const string Linear = "peft_factorwise_linear";

    private static readonly MethodParameter Density = MethodParameter.OfNumber("density", 1, "p, the share of entries of A and of B that is kept; 1 keeps all") with
    {
        Min = 0,
        AboveMin = true,
        Max = 1,
    };

    private static readonly MethodParameter Majority = MethodParameter.OfChoice(
        "majority", "Whether the sum of entries or the number of inputs elects a sign", "total", "frequency");

    private static readonly ImmutableDictionary<string, ElementwiseMerge> Shapes = new Dictionary<string, ElementwiseMerge>
    {
        [Linear] = new(),
        ["peft_factorwise_ties"] = Ties(new() { Sparsifier = Sparsifier.Magnitude }),
        ["peft_factorwise_dare_linear"] = new() { Sparsifier = Sparsifier.Random, Rescaling = Rescaling.Unbiased },
        ["peft_factorwise_dare_ties"] = Ties(new() { Sparsifier = Sparsifier.Random, Rescaling = Rescaling.Unbiased }),
        ["peft_factorwise_magnitude_prune"] = new() { Sparsifier = Sparsifier.Magnitude },
    }.ToImmutableDictionary(StringComparer.Ordinal);

    /// <summary>All of them.</summary>
    public static ImmutableArray<MergeMethod> All { get; } =
    [
        Method(Linear, "A = Σ sign(wₑ)√|wₑsₑ|·Aₑ and B = Σ √|wₑsₑ|·Bₑ: PEFT's linear", []),
        Method("peft_factorwise_ties", "TIES on A and on B apart, elected without weights and divided by the number that agree: PEFT's ties", [Density, Majority]),
        Method("peft_factorwise_dare_linear", "Entries of A and B kept with probability p and divided by it, then as linear: PEFT's dare_linear", [Density]),
        Method("peft_factorwise_dare_ties", "Entries of A and B kept with probability p and divided by it, then signs elected as in ties: PEFT's dare_ties", [Density, Majority]),
        Method("peft_factorwise_magnitude_prune", "The entries of largest magnitude of each A and B, then as linear: PEFT's magnitude_prune", [Density]),
    ];

    /// <summary>Merges A and B apart.</summary>
    /// <param name="method">Name of one of the methods.</param>
    /// <param name="step">The module's merge; all inputs have the module, at one rank, with a scaling other than 0.</param>
    /// <param name="masks">The masks of random sparsifiers, by input: 1 where an entry is kept, 0 elsewhere. Drawn if absent.</param>
    internal static LowRankDelta Merge(string method, MergeStep step, Func<int, (Matrix A, Matrix B)>? masks = null)
    {
        var merge = Shapes[step.Inputs.Length == 1 ? Linear : method];
        if (merge.Combination == Combination.Ties)
            merge = merge with { ElectByCount = step.Parameters.Choice("majority") == "frequency" };
        var density = merge.Sparsifier == Sparsifier.None ? 1 : step.Parameters.Number("density");
        double[] products = [.. step.Inputs.Select(i => i.Weight * i.Scaling)];
        double[] ofB = [.. products.Select(p => Math.Sqrt(Math.Abs(p)))];
        double[] ofA = [.. products.Zip(ofB, (p, root) => Math.Sign(p) * root)];
        return new(
            Factor("B", step.Inputs.Select(i => Divided(i.Delta!.B, i.Scaling)), ofB, i => masks?.Invoke(i).B),
            Factor("A", step.Inputs.Select(i => i.Delta!.A), ofA, i => masks?.Invoke(i).A));

        Matrix Factor(string name, IEnumerable<Matrix> values, double[] coefficients, Func<int, Matrix?> mask)
        {
            ImmutableArray<Matrix> sparsified = [.. values.Select((value, i) => mask(i) is { } given ? Masked(value, given, density) : Sparsification.Apply(
                merge, new(step.Inputs[i].Delta!, coefficients[i], density, Seed: step.Seed, Stream: $"{method}\n{step.Inputs[i].Key}\n{step.Module.Name}\n{name}"), value))];
            return DenseElementwise.Combine(merge, sparsified, coefficients);
        }
    }

    private static MergeMethod Method(string name, string summary, ImmutableArray<MethodParameter> parameters) =>
        new(name, MethodClass.Factorwise, summary, (step, kernels) => kernels.Recompress(Merge(name, step), step.Rank))
        {
            Parameters = parameters,
            Rank = DefaultRank.AsIs,
        };

    private static ElementwiseMerge Ties(ElementwiseMerge merge) => merge with
    {
        Combination = Combination.Ties,
        ElectWeighted = false,
        Divisor = TiesDivisor.Count,
    };

    private static Matrix Divided(Matrix matrix, double divisor) => new(matrix.Rows, matrix.Columns, [.. matrix.Values.Select(x => x / divisor)]);

    private static Matrix Masked(Matrix matrix, Matrix mask, double density) =>
        new(matrix.Rows, matrix.Columns, [.. matrix.Values.Zip(mask.Values, (x, m) => m * x / density)]);
}

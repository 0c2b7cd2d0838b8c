using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>
/// Methods that work on the entries of ΔW. All inputs take part, those that lack a module with ΔW = 0: zeros vote for no sign, agree with nobody, change
/// nothing and are never drawn otherwise, so they matter only where something is divided by all weights (<c>normalize</c>) or taken over all inputs (the
/// variance of <c>sce</c>). An adapter that is an input twice draws the same mask twice.
/// </summary>
public static class ElementwiseMethods
{
    private const string ScopeName = "scope";
    private const string AdapterScope = "adapter";

    private static readonly MethodParameter Normalize = MethodParameter.OfFlag("normalize", false, "Whether to divide by the sum of all weights");

    private static readonly MethodParameter Gamma =
        MethodParameter.OfNumber("gamma", 0.01, "γ, the share of entries of largest magnitude that are dropped as outliers") with { Min = 0, Max = 1, BelowMax = true, PerInput = true };

    private static readonly MethodParameter Epsilon =
        MethodParameter.OfNumber("epsilon", 0.15, "ε: entries are kept with probabilities from density − ε to density + ε, both inside (0, 1)") with { Min = 0, Max = 0.5, PerInput = true };

    private static readonly MethodParameter Rescale =
        MethodParameter.OfChoice("rescale", "How kept entries make up for dropped ones: not at all, or so that Σ|ΔW| stays", "none", "l1");

    private static readonly MethodParameter RescaleRandom = MethodParameter.OfChoice(
        "rescale", "How kept entries make up for dropped ones: each divided by its probability of being kept, all so that Σ|ΔW| stays (mergekit), or not at all", "unbiased", "l1", "none");

    private static readonly MethodParameter ChangedAbove =
        MethodParameter.OfNumber("epsilon", 1e-5, "Entries up to this magnitude count as unchanged, and are dropped; in units of ΔW") with { Min = 0 };

    private static readonly MethodParameter Scope = MethodParameter.OfChoice(
        ScopeName, "Whether the entries of an input are ranked within each module, or over all its modules together (paper, mttl)", "module", AdapterScope);

    private static readonly ImmutableDictionary<string, ElementwiseMerge> Shapes = new Dictionary<string, ElementwiseMerge>
    {
        ["magnitude_prune"] = new() { Sparsifier = Sparsifier.Magnitude, Combination = Combination.Sum },
        ["ties"] = new() { Sparsifier = Sparsifier.Magnitude, Combination = Combination.Ties },
        ["dare_linear"] = new() { Sparsifier = Sparsifier.Random, Combination = Combination.Sum },
        ["dare_ties"] = new() { Sparsifier = Sparsifier.Random, Combination = Combination.Ties },
        ["della_linear"] = new() { Sparsifier = Sparsifier.RankedRandom, Combination = Combination.Sum },
        ["della"] = new() { Sparsifier = Sparsifier.RankedRandom, Combination = Combination.Ties },
        ["breadcrumbs"] = new() { Sparsifier = Sparsifier.Outliers, Combination = Combination.Sum },
        ["breadcrumbs_ties"] = new() { Sparsifier = Sparsifier.Outliers, Combination = Combination.Ties },
        ["sce"] = new() { Combination = Combination.Sce },
        ["ram"] = new() { Combination = Combination.Ram },
        ["ramplus_tl"] = new() { Combination = Combination.Ram },
    }.ToImmutableDictionary(StringComparer.Ordinal);

    /// <summary>All of them.</summary>
    public static ImmutableArray<MergeMethod> All { get; } =
    [
        Method("magnitude_prune", "The entries of largest magnitude of each input, then their weighted sum", [Density(1), Scope, Rescale, Normalize]),
        Method("ties", "Trim by magnitude, elect a sign for each entry, average the inputs that agree (TIES, arXiv 2306.01708)", [Density(0.2), Scope, Rescale, .. Election("weights")]),
        Method("dare_linear", "Each entry kept with probability p, then the weighted sum (DARE, arXiv 2311.03099)", [Density(1), RescaleRandom, Normalize]),
        Method("dare_ties", "Each entry kept with probability p, then signs elected as in TIES (arXiv 2311.03099)", [Density(1), RescaleRandom, .. Election("none")]),
        Method("della_linear", "Entries kept with a probability that rises with their magnitude's rank in the row, then the weighted sum (DELLA, arXiv 2406.11617)",
            [Density(1), Epsilon, RescaleRandom, Normalize]),
        Method("della", "Entries kept with a probability that rises with their magnitude's rank in the row, then signs elected as in TIES (DELLA, arXiv 2406.11617)",
            [Density(1), Epsilon, RescaleRandom, .. Election("weights")]),
        Method("breadcrumbs", "Without the largest and the smallest entries of each input, then the weighted sum (arXiv 2312.06795)", [Density(1), Gamma, Rescale, Normalize]),
        Method("breadcrumbs_ties", "Without the largest and the smallest entries of each input, then signs elected as in TIES", [Density(1), Gamma, Rescale, .. Election("none")]),
        Method("sce", "Entries that vary most over the inputs, weighted by each input's energy, minority signs erased (SCE, arXiv 2408.07990)",
            [MethodParameter.OfNumber("select_topk", 1, "The share of varying entries that is kept") with { Min = 0, AboveMin = true, Max = 1 }]),
        Method("ram", "Entries that one input alone changes are kept whole, shared ones averaged (RAM)", [ChangedAbove]),
        Method("ramplus_tl", "As ram, with an input's own entries raised the more, the more of its entries are shared (RAM+)",
            [
                ChangedAbove,
                MethodParameter.OfNumber("r", 0.1, "How strongly own entries are raised: by r·min(α, shared ∕ own)") with { Min = 0 },
                MethodParameter.OfNumber("alpha", 0.2, "α, the largest ratio that counts") with { Min = 0 },
            ]),
    ];

    /// <summary>What a method does to entries, as parameters say. Those that the parameters' own method does not have are as by default.</summary>
    /// <param name="method">Name of one of the methods.</param>
    /// <param name="parameters">Values; of this method, or of another that has some of its parameters.</param>
    internal static ElementwiseMerge Specification(string method, ParameterValues parameters)
    {
        var shape = Shapes[method];
        var defaults = new ParameterValues(All.First(m => m.Name == method));
        return shape with
        {
            Rescaling = Choice("rescale") switch { "unbiased" => Rescaling.Unbiased, "l1" => Rescaling.L1, _ => Rescaling.None },
            Normalize = Holder("normalize")?.Flag("normalize") ?? false,
            ElectWeighted = Choice("elect") is "weighted" or null,
            ElectByCount = Choice("majority") == "count",
            DrawIsPositive = Choice("draw") is "positive" or null,
            Divisor = Choice("divisor") switch { "count" => TiesDivisor.Count, "none" => TiesDivisor.None, _ => TiesDivisor.Weights },
            SelectTopK = Number("select_topk", 1),
            ChangedAbove = shape.Combination == Combination.Ram ? Number("epsilon", 1e-5) : 0,
            RaiseBy = Number("r", 0),
            RaiseUpTo = Number("alpha", 0),
            Lambda = Number("lambda", 1),
        };

        ParameterValues? Holder(string name) => !defaults.Has(name) ? null : parameters.Has(name) ? parameters : defaults;

        string? Choice(string name) => Holder(name)?.Choice(name);

        double Number(string name, double otherwise) => Holder(name)?.Number(name) ?? otherwise;
    }

    /// <summary>One input as the kernels take it. Its random numbers are named by method, content and module, so they don't depend on its place.</summary>
    /// <param name="method">Name of one of the methods.</param>
    /// <param name="input">The input.</param>
    /// <param name="delta">Its ΔW, or what stands for it in another basis.</param>
    /// <param name="step">The module's merge.</param>
    /// <exception cref="InvalidOperationException">The threshold over all modules is not known: <see cref="MergePrepass"/> did not run.</exception>
    internal static ElementwiseInput Input(string method, StepInput input, LowRankDelta delta, MergeStep step)
    {
        var shape = Shapes[method];
        var defaults = new ParameterValues(All.First(m => m.Name == method));
        var density = Number("density", 1);
        if (density < 1 && input.Threshold is null && RanksOverAdapter(input.Parameters))
            throw new InvalidOperationException($"{method} needs the threshold of {step.Module.Name} over all modules.");
        return new(
            delta, input.Weight, density,
            shape.Sparsifier == Sparsifier.Outliers ? Number("gamma", 0) : 0,
            shape.Sparsifier == Sparsifier.RankedRandom ? Number("epsilon", 0) : 0,
            input.Threshold, step.Seed, $"{method}\n{input.Key}\n{step.Module.Name}");

        double Number(string name, double otherwise) =>
            !defaults.Has(name) ? otherwise : (input.Parameters.Has(name) ? input.Parameters : defaults).Number(name);
    }

    /// <summary>Whether entries are ranked over all modules of an adapter.</summary>
    internal static bool RanksOverAdapter(ParameterValues parameters) => parameters.Has(ScopeName) && parameters.Choice(ScopeName) == AdapterScope;

    /// <summary>Why weights and parameters can't be used by an element-wise method; null if they can.</summary>
    internal static string? Refuse(string method, ImmutableArray<double> weights, ParameterValues parameters)
    {
        var merge = Specification(method, parameters);
        if (merge.Combination == Combination.Ties && merge.Divisor != TiesDivisor.Count && weights.Any(w => w < 0))
            return "Negative weights need divisor = count: what is divided by the weights that agree could vanish or turn.";
        if (merge.Combination == Combination.Sum && merge.Normalize && LinearMethods.Divisor(weights.AsSpan()) is { } reason)
            return reason;
        if (merge.Sparsifier != Sparsifier.RankedRandom)
            return null;
        var (density, epsilon) = (parameters.Number("density"), parameters.Number("epsilon"));
        return density >= 1 || (density - epsilon > 0 && density + epsilon < 1) ? null
            : $"density ± epsilon must lie inside (0, 1), which {density} ± {epsilon} does not.";
    }

    private static MergeMethod Method(string name, string summary, ImmutableArray<MethodParameter> parameters) => new(name, MethodClass.Elementwise, summary, (step, kernels) =>
        kernels.Elementwise(
            Specification(name, step.Parameters), [.. step.Inputs.Zip(step.Deltas(), (i, d) => Input(name, i, d, step))], step.Rank ?? RankPolicy.Lossless, step.Cancellation))
    {
        Parameters = [.. parameters, LinearMethods.Lambda],
        Rank = DefaultRank.LargestInput,
        Weighted = Shapes[name].Combination is Combination.Sum or Combination.Ties,
        Refuse = (weights, values) => Refuse(name, weights, values),
    };

    private static MethodParameter Density(double value) =>
        MethodParameter.OfNumber("density", value, "p, the share of entries that are kept; 1 keeps all and rescales nothing") with { Min = 0, AboveMin = true, Max = 1, PerInput = true };

    private static ImmutableArray<MethodParameter> Election(string divisor) =>
    [
        MethodParameter.OfChoice("elect", "Whether signs are elected on weight·ΔW or on ΔW", "weighted", "unweighted"),
        MethodParameter.OfChoice("majority", "Whether the sum of magnitudes or the number of inputs decides", "magnitude", "count"),
        MethodParameter.OfChoice(
            "divisor", "What the weighted sum of agreeing inputs is divided by: their weights (mergekit), their number (paper, PEFT) or nothing",
            "weights", "count", "none") with { Default = RecipeValue.Of(divisor) },
        MethodParameter.OfChoice("draw", "What a vote that ends in a draw elects: + (mergekit, PEFT), or nothing (paper)", "positive", "none"),
    ];
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>One summand of a module of the result.</summary>
/// <param name="Input">Index of the input adapter.</param>
/// <param name="Coefficient">Factor of its ΔW. The module's scaling is not part of it: it is folded into B where factors are read.</param>
public readonly record struct MergeTerm(int Input, double Coefficient);

/// <summary>What has to be computed for one module: Σ coefficient·ΔW, then recompression.</summary>
/// <param name="Module">Name, kind and shape. Its rank is the sum of the terms' ranks, its scaling 1.</param>
/// <param name="Terms">The summands; inputs that lack the module count as ΔW = 0 and do not appear.</param>
/// <param name="Rank">How the sum is recompressed; null if its factors are only concatenated.</param>
/// <param name="MissingIn">Indices of the inputs that lack the module.</param>
public sealed record PlannedModule(
    TargetModule Module, ImmutableArray<MergeTerm> Terms, RankPolicy? Rank, ImmutableArray<int> MissingIn);

/// <summary>
/// A linear combination of adapters, checked and worked out module by module, without any numbers read: what Core's reference
/// (<see cref="Merging"/>) and the kernels both carry out.
/// </summary>
/// <param name="Coefficients">The factor of each input's ΔW.</param>
/// <param name="Modules">The union of the inputs' modules, in ordinal order.</param>
/// <param name="NotMerged">For each input, the tensors that are no LoRA factors and so have no place in the result.</param>
public sealed record MergePlan(
    ImmutableArray<double> Coefficients, ImmutableArray<PlannedModule> Modules, ImmutableArray<ImmutableArray<string>> NotMerged)
{
    /// <summary>Plans a merge.</summary>
    /// <param name="recipe">What to do.</param>
    /// <param name="inputs">The adapters, in the order of the weights; of one base model, which is the caller's to know.</param>
    /// <param name="plan">The plan, if there are no problems.</param>
    /// <param name="problems">Every reason why not.</param>
    public static bool TryCreate(
        MergeRecipe recipe, IReadOnlyList<Adapter> inputs,
        [NotNullWhen(true)] out MergePlan? plan, out ImmutableArray<MergeProblem> problems)
    {
        var weights = recipe.Weights ?? [.. inputs.Select(_ => 1d)];
        var normalize = recipe.Normalize ?? recipe.Method == MergeMethod.Linear;
        var found = new List<MergeProblem>();
        MergeChecks.Weights(found, weights, inputs.Count, normalize, recipe.Lambda);
        var divisor = normalize ? weights.Sum() : 1;
        return TryCreate(
            [.. weights.Select(w => recipe.Lambda * w / divisor)], inputs, RankRule(recipe), recipe.Rank, found, out plan, out problems);
    }

    /// <summary>Plans a subtraction. In the plan, input 0 is the target and the general adapters follow.</summary>
    /// <param name="recipe">What to do.</param>
    /// <param name="target">The task adapter.</param>
    /// <param name="general">The general-knowledge adapters, in the order of the weights.</param>
    /// <param name="plan">The plan, if there are no problems.</param>
    /// <param name="problems">Every reason why not.</param>
    public static bool TryCreate(
        SubtractionRecipe recipe, Adapter target, IReadOnlyList<Adapter> general,
        [NotNullWhen(true)] out MergePlan? plan, out ImmutableArray<MergeProblem> problems)
    {
        var weights = recipe.Weights ?? [.. general.Select(_ => 1d)];
        var found = new List<MergeProblem>();
        if (general.Count == 0)
            found.Add(new(MergeProblem.NoInputs, "There is no general adapter to subtract."));
        MergeChecks.Weights(found, weights, general.Count, true, recipe.Beta);
        var sum = weights.Sum();
        return TryCreate(
            [1, .. weights.Select(w => -recipe.Beta * w / sum)], [target, .. general], _ => recipe.Rank ?? RankPolicy.Lossless,
            recipe.Rank, found, out plan, out problems);
    }

    private static bool TryCreate(
        ImmutableArray<double> coefficients, IReadOnlyList<Adapter> inputs, Func<IEnumerable<TargetModule>, RankPolicy?> rankRule,
        RankPolicy? asked, List<MergeProblem> found,
        [NotNullWhen(true)] out MergePlan? plan, out ImmutableArray<MergeProblem> problems)
    {
        MergeChecks.Rank(found, asked);
        MergeChecks.Inputs(found, inputs);
        problems = [.. found];
        plan = null;
        if (!problems.IsEmpty)
            return false;
        var names = inputs.SelectMany(a => a.Modules).Select(m => m.Name).Distinct().Order(StringComparer.Ordinal);
        plan = new(coefficients, [.. names.Select(n => Plan(n, coefficients, inputs, rankRule))], [.. inputs.Select(a => a.Carried)]);
        return true;
    }

    private static PlannedModule Plan(
        string name, ImmutableArray<double> coefficients, IReadOnlyList<Adapter> inputs, Func<IEnumerable<TargetModule>, RankPolicy?> rankRule)
    {
        var present = Enumerable.Range(0, inputs.Count).Where(i => inputs[i].Find(name) is not null).ToList();
        var modules = present.ConvertAll(i => inputs[i].Find(name)!);
        return new(
            modules[0] with { Rank = modules.Sum(m => m.Rank), Scaling = 1 },
            [.. present.Select(i => new MergeTerm(i, coefficients[i]))],
            rankRule(modules),
            [.. Enumerable.Range(0, inputs.Count).Except(present)]);
    }

    private static Func<IEnumerable<TargetModule>, RankPolicy?> RankRule(MergeRecipe recipe) => recipe.Method switch
    {
        MergeMethod.Linear => _ => recipe.Rank ?? RankPolicy.Lossless,
        MergeMethod.Cat => _ => recipe.Rank,
        MergeMethod.Svd => modules => recipe.Rank ?? new RankPolicy(modules.Max(m => m.Rank)),
        _ => throw new ArgumentOutOfRangeException(nameof(recipe), recipe.Method, "Not a merge method."),
    };
}

using System.Numerics.Tensors;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Methods;

/// <summary>
/// General knowledge taken out of an expert for as long as its prototype is computed; nothing is published or truncated. Exact: ΔWₜ − β·Σ w·ΔW_g ∕ Σ w in concatenated
/// factors. Factor-wise, as PEFT: sₜ·(Bₜ − β·B̄)·(Aₜ − β·Ā) of unscaled factors. A module that the expert lacks stays missing.
/// </summary>
/// <param name="general">The general adapters.</param>
/// <param name="weights">Their weights, whose sum is not zero.</param>
/// <param name="beta">β.</param>
/// <param name="mode">Of what the subtraction is.</param>
internal sealed class RouterResidual(IReadOnlyList<Adapter> general, IReadOnlyList<double> weights, double beta, RouterSubtractionMode mode)
{
    private readonly double sum = weights.Sum();

    /// <summary>Adds what keeps the subtraction from being done; inputs are counted over experts first, then general adapters.</summary>
    public void Check(List<MergeProblem> found, IReadOnlyList<Adapter> experts)
    {
        if (weights.Any(w => !double.IsFinite(w)) || !double.IsFinite(beta))
            found.Add(new(MergeProblem.WeightsNotFinite, "β and the weights of general adapters are finite numbers."));
        else if (LinearMethods.Divisor([.. weights]) is { } problem)
            found.Add(new(MergeProblem.WeightsInvalid, problem));
        if (mode != RouterSubtractionMode.Factorwise)
            return;
        Adapter[] all = [.. experts, .. general];
        for (var i = 0; i < all.Length; i++)
        {
            if (all[i].Modules.FirstOrDefault(m => m.Scaling == 0) is { } zero)
                found.Add(new(MergeProblem.FactorsNotComparable, $"{zero.Name} has scaling 0, so B can't be told from ΔW.", i, zero.Name));
        }

        foreach (var (expert, e) in experts.Select((expert, e) => (expert, e)))
            foreach (var module in expert.Modules)
            {
                if (general.Any(g => g.Find(module.Name)?.Rank != module.Rank))
                {
                    found.Add(new(
                        MergeProblem.FactorsNotComparable, $"{module.Name} is missing or has another rank in a general adapter; factor-wise subtraction needs equal ranks.", e, module.Name));
                    break;
                }
            }
    }

    /// <summary>What is left of an expert at a module.</summary>
    public LowRankDelta Of(TargetModule module, LowRankDelta task) => mode == RouterSubtractionMode.Exact ? Exact(module, task) : Factorwise(module, task);

    private LowRankDelta Exact(TargetModule module, LowRankDelta task)
    {
        var terms = new List<(double, LowRankDelta)> { (1, task) };
        for (var g = 0; g < general.Count; g++)
        {
            if (general[g].Delta(module.Name) is { } delta)
                terms.Add((-beta * weights[g] / sum, delta));
        }

        return Deltas.WeightedSum(terms);
    }

    private LowRankDelta Factorwise(TargetModule module, LowRankDelta task)
    {
        var (b, a) = (new Matrix(task.Out, task.Rank, [.. task.B.Values]), new Matrix(task.Rank, task.In, [.. task.A.Values]));
        for (var g = 0; g < general.Count; g++)
        {
            var (delta, factor) = (general[g].Delta(module.Name)!, -beta * weights[g] / sum);
            TensorPrimitives.MultiplyAdd(delta.A.Values, factor, a.Values, a.Values);
            // B holds the scaling: out with the general adapter's, in with the expert's.
            TensorPrimitives.MultiplyAdd(delta.B.Values, factor * module.Scaling / general[g].Find(module.Name)!.Scaling, b.Values, b.Values);
        }

        return new(b, a);
    }
}

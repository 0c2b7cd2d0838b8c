using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>
/// Arrow routing at one module: for a token x the logits are |⟨x, vₑ⟩|, the top k of them go through a softmax, and the adapters'
/// outputs are mixed after each has been applied whole.
/// </summary>
public static class Router
{
    /// <summary>The paper's number of adapters per token.</summary>
    public const int DefaultTopK = 4;

    /// <summary>
    /// Routing weights of one token: softmax(lₑ ∕ temperature) over the top k logits, 0 elsewhere; the lower index wins ties.
    /// Adapters whose ΔW is zero there are left out; if all are, every weight is 0.
    /// </summary>
    /// <param name="x">The token's input to the module, shape (in).</param>
    /// <param name="prototypes">One per adapter; null where an adapter lacks the module.</param>
    /// <param name="topK">How many adapters share a token; more than there are means all.</param>
    /// <param name="temperature">Positive; smaller is sharper.</param>
    public static double[] Weights(
        ReadOnlySpan<double> x, IReadOnlyList<Prototype?> prototypes, int topK = DefaultTopK, double temperature = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(topK, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(temperature);
        var logits = new double[prototypes.Count];
        for (var e = 0; e < logits.Length; e++)
            logits[e] = prototypes[e] is { IsZero: false } p ? Math.Abs(TensorPrimitives.Dot(x, p.Direction.AsSpan())) : double.NegativeInfinity;
        var chosen = Enumerable.Range(0, logits.Length)
            .Where(e => !double.IsNegativeInfinity(logits[e]))
            .OrderByDescending(e => logits[e]) // stable: the lower index first among equals
            .Take(topK)
            .ToList();
        var weights = new double[logits.Length];
        foreach (var e in chosen)
            weights[e] = Math.Exp((logits[e] - logits[chosen[0]]) / temperature);
        var sum = weights.Sum();
        return sum == 0 ? weights : Array.ConvertAll(weights, w => w / sum);
    }

    /// <summary>The module's change of output for one token, mixed after each adapter was applied: Δy = Σ cₑ (x·Aₑᵀ)·Bₑᵀ, shape (out).</summary>
    /// <param name="x">The token's input to the module, shape (in).</param>
    /// <param name="deltas">One per adapter; null where an adapter lacks the module.</param>
    /// <param name="weights">The routing weights cₑ.</param>
    public static double[] Apply(ReadOnlySpan<double> x, IReadOnlyList<LowRankDelta?> deltas, IReadOnlyList<double> weights)
    {
        var y = new double[deltas.First(d => d is not null)!.Out];
        for (var e = 0; e < deltas.Count; e++)
        {
            if (deltas[e] is not { } delta || weights[e] == 0)
                continue;
            var z = new double[delta.Rank];
            for (var j = 0; j < z.Length; j++)
                z[j] = TensorPrimitives.Dot(x, delta.A.Row(j));
            for (var i = 0; i < y.Length; i++)
                y[i] += weights[e] * TensorPrimitives.Dot<double>(delta.B.Row(i), z);
        }
        return y;
    }
}

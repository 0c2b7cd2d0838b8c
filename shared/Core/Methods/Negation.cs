using System.Numerics.Tensors;

namespace Marketplace.Core.Methods;

/// <summary>Task negation: −λ·ΔW, exactly and at the same rank, by turning B and leaving A (turning both would change nothing).</summary>
public static class Negation
{
    /// <summary>−λ·B·A as (−λB)·A.</summary>
    public static LowRankDelta Negate(LowRankDelta delta, double lambda = 1)
    {
        var b = new Matrix(delta.B.Rows, delta.B.Columns);
        TensorPrimitives.Multiply(delta.B.Values, -lambda, b.Values);
        return delta with { B = b };
    }
}

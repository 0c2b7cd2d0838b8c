using System.Numerics.Tensors;

namespace Marketplace.Core.Analysis;

/// <summary>
/// How much of an adapter a library lacks: the share of |ΔW|² outside the span of its nearest members, from sketches of d = 1024 numbers. With x the adapter's sketch and Q an
/// orthonormal basis of the sketches of m members, the novelty is min(1, (1 − |Qᵀx|² ∕ |x|²)·d ∕ (d − m)): a random direction lies in a span of m dimensions with m ∕ d of its square, and the
/// factor takes that out again.
/// </summary>
/// <remarks>
/// Among n unrelated members some seem related by chance, with cosines up to about √(2 ln n ∕ d). Members below that <see cref="Floor"/> are not used, so what they could explain
/// counts as new: the square of the floor is the least share that one member must explain to be seen.
/// </remarks>
/// <param name="Share">Between 0, nothing is new, and 1. 0 where ΔW = 0.</param>
/// <param name="Floor">The cosine below which a member is not told from chance.</param>
/// <param name="Members">How many members span what is known.</param>
public sealed record Novelty(double Share, double Floor, int Members)
{
    /// <summary>The most members whose span is taken.</summary>
    public const int MaxMembers = 16;

    /// <summary>The cosine of sketches that chance gives the best of n unrelated adapters.</summary>
    public static double FloorOf(int members) => Math.Sqrt(2 * Math.Log(Math.Max(2, members)) / AdapterSketch.Size);

    /// <summary>Judges an adapter.</summary>
    /// <param name="target">Its sketch.</param>
    /// <param name="nearest">Members of the library by magnitude of their cosine, largest first; the first sixteen above the floor are used.</param>
    /// <param name="members">How many members the library has.</param>
    public static Novelty Of(AdapterSketch target, IEnumerable<AdapterSketch> nearest, int members)
    {
        var floor = FloorOf(members);
        if (target.DeltaLength == 0)
            return new(0, floor, 0);
        var basis = new List<double[]>();
        var used = 0;
        foreach (var member in nearest.Where(m => m.DeltaLength > 0 && Math.Abs(AdapterSketch.DeltaCosine(target, m)) > floor).Take(MaxMembers))
        {
            used++;
            if (Orthonormal(member, basis) is { } direction)
                basis.Add(direction);
        }

        var x = Unit(target);
        var known = basis.Sum(q => Math.Pow(TensorPrimitives.Dot<double>(q, x), 2));
        return new(Math.Clamp((1 - known) * AdapterSketch.Size / (AdapterSketch.Size - basis.Count), 0, 1), floor, used);
    }

    // Twice is enough: what is left then is either orthogonal to rounding or was in the span.
    private static double[]? Orthonormal(AdapterSketch sketch, List<double[]> basis)
    {
        var v = Unit(sketch);
        for (var pass = 0; pass < 2; pass++)
            foreach (var q in basis)
                TensorPrimitives.MultiplyAdd(q, -TensorPrimitives.Dot<double>(q, v), v, v);
        var length = TensorPrimitives.Norm<double>(v);
        if (length < 1e-4) // sketches have seven digits
            return null;
        TensorPrimitives.Divide(v, length, v);
        return v;
    }

    private static double[] Unit(AdapterSketch sketch)
    {
        var v = new double[sketch.Delta.Length];
        TensorPrimitives.ConvertTruncating(sketch.Delta.AsSpan(), v);
        TensorPrimitives.Divide(v, sketch.DeltaLength, v);
        return v;
    }
}

using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>
/// Coefficients c of Σ cₑxₑ for vectors x that are known by their inner products Gᵢⱼ = ⟨xᵢ, xⱼ⟩ alone, shape (K, K). What has length zero, Gₑₑ = 0, has no
/// direction: it takes part in lengths, not in angles.
/// </summary>
internal static class SphericalCoefficients
{
    private const double Noise = 1e-13; // share of (|B|·|A|)² below which |B·A|² is rounding
    private const double NearlyParallel = 0.9995; // mergekit's bound, beyond which slerp is linear
    private const double SmallestSine = 1e-8; // mergekit's bound for nuslerp
    private const double NearlyOpposite = 1e-6; // up to this, 1 + cos θ may be rounding, in float32 too: the arc has no plane
    private const double NoDirection = 1e-3; // a mean of unit vectors this short may be rounding, in float32 too: it points nowhere

    /// <summary>
    /// A Gram matrix without what rounding left of deltas that vanish: its rows and columns of zeros are exact, and its diagonal is not negative.
    /// </summary>
    /// <param name="gram">⟨ΔWᵢ, ΔWⱼ⟩; changed and returned.</param>
    /// <param name="deltas">The deltas it was computed from.</param>
    public static Matrix WithoutNoise(Matrix gram, IReadOnlyList<LowRankDelta> deltas)
    {
        for (var i = 0; i < gram.Rows; i++)
        {
            var factors = TensorPrimitives.Norm<double>(deltas[i].B.Values) * TensorPrimitives.Norm<double>(deltas[i].A.Values);
            if (!(gram[i, i] <= Noise * factors * factors))
                continue;
            gram.Row(i).Clear();
            for (var j = 0; j < gram.Rows; j++)
                gram[j, i] = 0;
        }

        return gram;
    }

    /// <summary>Along the arc from x₁ (t = 0) to x₂ (t = 1), with the lengths interpolated as well; (1 − t, t) where |cos θ| > 0.9995 or a length is zero.</summary>
    public static double[] Slerp(Matrix gram, double t) => Arc(gram, t, cosine => Math.Abs(cosine) > NearlyParallel);

    /// <summary>The same, but (1 − t, t) only where the angle is 0 or all but π.</summary>
    public static double[] NuSlerp(Matrix gram, double t) => Arc(gram, t, cosine => Math.Sin(Math.Acos(cosine)) < SmallestSine || 1 + cosine < NearlyOpposite);

    /// <summary>
    /// cₑ = wₑ∕nₑ · Σ wᵢnᵢ ∕ |Σ wᵢxᵢ∕nᵢ|, n the lengths. mergekit also goes from there into the tangent space and back; the tangents' weighted sum is
    /// zero, since they are taken at the weighted mean itself, so that this is the whole method. Where the directions cancel, c = w.
    /// </summary>
    public static double[] MultiSlerp(Matrix gram, double[] weights)
    {
        var (lengths, cosines) = Directions(gram);
        var mean = Length(cosines, weights);
        if (mean <= NoDirection * Magnitude(weights, lengths))
            return [.. weights];
        var length = TensorPrimitives.Dot<double>(weights, lengths);
        return [.. weights.Select((w, e) => lengths[e] == 0 ? 0 : w / lengths[e] * length / mean)];
    }

    /// <summary>
    /// The point u of the sphere with Σ αₑ·logᵤ(xₑ∕nₑ) = 0, where logᵤ is the arc from u as a tangent vector, times Σ αₑnₑ. Starts from the mean direction;
    /// where that points nowhere there is no centre to tell from others, and c = α. An input opposite to u, whose arc has no direction, does not pull.
    /// </summary>
    /// <param name="gram">Inner products.</param>
    /// <param name="shares">α, not negative, of sum 1.</param>
    /// <param name="iterations">Most steps.</param>
    /// <param name="tolerance">The length of a step, as an angle, at which the iteration ends.</param>
    public static double[] Karcher(Matrix gram, double[] shares, int iterations, double tolerance)
    {
        var (lengths, cosines) = Directions(gram);
        var start = Length(cosines, shares);
        if (start <= NoDirection * Magnitude(shares, lengths))
            return [.. shares];
        double[] centre = [.. shares.Select((a, e) => lengths[e] == 0 ? 0 : a / start)]; // coefficients of unit vectors
        for (var i = 0; i < iterations; i++)
        {
            var tangent = Tangent(cosines, centre, shares);
            var angle = Length(cosines, tangent);
            if (angle < tolerance)
                break;
            for (var e = 0; e < centre.Length; e++)
                centre[e] = (Math.Cos(angle) * centre[e]) + (Math.Sin(angle) / angle * tangent[e]);
            TensorPrimitives.Divide(centre, Length(cosines, centre), centre);
        }

        var length = TensorPrimitives.Dot<double>(shares, lengths);
        return [.. centre.Select((c, e) => lengths[e] == 0 ? 0 : c / lengths[e] * length)];
    }

    /// <summary>
    /// t∕K for each of K vectors, t = K·c ∕ (1 + (K − 1)·c), c the mean cosine over all pairs. The method rests on c in (0, 1]; below, the formula would turn
    /// the result round or have a pole, and t = 0 is taken.
    /// </summary>
    public static double[] ModelStock(Matrix gram)
    {
        var (lengths, cosines) = Directions(gram);
        var k = lengths.Length;
        var sum = 0d;
        for (var i = 0; i < k; i++)
            for (var j = 0; j < i; j++)
                sum += cosines[i, j];
        var mean = sum / (k * (k - 1) / 2d);
        return [.. Enumerable.Repeat(mean <= 0 ? 0 : mean / (1 + ((k - 1) * mean)), k)];
    }

    private static double[] Arc(Matrix gram, double t, Func<double, bool> linear)
    {
        var (lengths, cosines) = Directions(gram);
        if (lengths[0] == 0 || lengths[1] == 0 || linear(cosines[0, 1]))
            return [1 - t, t];
        var angle = Math.Acos(cosines[0, 1]);
        return [Math.Sin((1 - t) * angle) / Math.Sin(angle), Math.Sin(t * angle) / Math.Sin(angle)];
    }

    // Σ αₑ·θₑ∕sin θₑ·(uₑ − dₑ·centre), d the cosines of the centre with each direction: as coefficients of the directions u.
    private static double[] Tangent(Matrix cosines, double[] centre, double[] shares)
    {
        var tangent = new double[centre.Length];
        for (var e = 0; e < centre.Length; e++)
        {
            if (cosines[e, e] == 0)
                continue;
            var cosine = Math.Clamp(TensorPrimitives.Dot<double>(cosines.Row(e), centre), -1, 1);
            var sine = Math.Sqrt((1 - cosine) * (1 + cosine));
            if (1 + cosine < NearlyOpposite)
                continue;
            var pull = shares[e] * (sine < SmallestSine ? 1 : Math.Acos(cosine) / sine);
            tangent[e] += pull;
            MatrixMath.AddScaled(centre, -pull * cosine, tangent);
        }

        return tangent;
    }

    // Lengths, and cosines with zeros, on the diagonal too, where a length is zero.
    private static (double[] Lengths, Matrix Cosines) Directions(Matrix gram)
    {
        var cosines = Gram.Cosines(gram);
        var lengths = new double[gram.Rows];
        for (var i = 0; i < lengths.Length; i++)
        {
            lengths[i] = Math.Sqrt(gram[i, i]);
            cosines[i, i] = lengths[i] == 0 ? 0 : 1;
        }

        return (lengths, cosines);
    }

    // |Σ cₑuₑ| for unit vectors u.
    private static double Length(Matrix cosines, double[] coefficients)
    {
        var squared = 0d;
        for (var i = 0; i < coefficients.Length; i++)
            squared += coefficients[i] * TensorPrimitives.Dot<double>(cosines.Row(i), coefficients);
        return Math.Sqrt(Math.Max(0, squared));
    }

    private static double Magnitude(double[] weights, double[] lengths) => weights.Select((w, e) => lengths[e] == 0 ? 0 : Math.Abs(w)).Sum();
}

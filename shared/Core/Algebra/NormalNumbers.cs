namespace Marketplace.Core.Algebra;

/// <summary>Numbers distributed as N(0, 1), by the transform of Box and Muller from a stream of <see cref="Philox"/>.</summary>
/// <param name="seed">The user's seed.</param>
/// <param name="stream">What the numbers are for.</param>
public sealed class NormalNumbers(ulong seed, string stream)
{
    private readonly Philox random = new(seed, stream);
    private double? spare;

    /// <summary>The next number.</summary>
    public double Next()
    {
        if (spare is { } kept)
        {
            spare = null;
            return kept;
        }

        var radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
        var (sin, cos) = Math.SinCos(2 * Math.PI * random.NextDouble());
        spare = radius * sin;
        return radius * cos;
    }
}

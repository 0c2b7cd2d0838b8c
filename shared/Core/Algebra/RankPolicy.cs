namespace Marketplace.Core.Algebra;

/// <summary>
/// How much of a delta is kept when it is recompressed. The rules that are set all apply, and the smallest rank wins; with none
/// set, exactly the numerical rank is kept, which loses nothing.
/// </summary>
/// <param name="Rank">At most this many singular values.</param>
/// <param name="Energy">The fewest singular values whose squares add up to this share, in (0, 1], of Σ S².</param>
/// <param name="Tolerance">Only singular values above this share, in [0, 1), of the largest one.</param>
public sealed record RankPolicy(int? Rank = null, double? Energy = null, double? Tolerance = null)
{
    /// <summary>Keeps the numerical rank: nothing is lost.</summary>
    public static RankPolicy Lossless { get; } = new();

    /// <summary>Why the policy makes no sense; null if it does.</summary>
    public string? Invalid => this switch
    {
        { Rank: < 1 } => "The rank must be at least 1.",
        { Energy: { } e } when !(e > 0 && e <= 1) => "The energy must lie in (0, 1].",
        { Tolerance: { } t } when !(t >= 0 && t < 1) => "The tolerance must lie in [0, 1).",
        _ => null,
    };

    /// <summary>The number of singular values to keep; 0 where all vanish.</summary>
    /// <param name="s">Singular values, descending.</param>
    /// <param name="noise">Singular values up to this one are rounding noise and never kept; see <see cref="LowRankSvd.Noise"/>.</param>
    public int Keep(IReadOnlyList<double> s, double noise)
    {
        if (s.Count == 0)
            return 0;
        var floor = Math.Max(noise, s[0] * (Tolerance ?? 0));
        var kept = s.Count(x => x > floor);
        if (Energy is { } energy)
        {
            var total = s.Sum(x => x * x);
            var sum = 0d;
            for (var k = 0; k < kept; k++)
            {
                sum += s[k] * s[k];
                if (sum >= energy * total)
                    kept = k + 1;
            }
        }
        return Math.Min(kept, Rank ?? kept);
    }
}

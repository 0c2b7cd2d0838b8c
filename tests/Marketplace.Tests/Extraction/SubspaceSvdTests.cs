using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Extraction;

public sealed class SubspaceSvdTests
{
    [Fact]
    public void A_matrix_of_low_rank_is_found_exactly_and_at_once()
    {
        var delta = Adapters.Random(new Random(1), 320, 410, 6);
        var found = Truncate(Product(delta), RankPolicy.Lossless, 8, "q");
        Assert.Equal(6, found.Factors.Delta.Rank);
        Assert.Equal(1, found.Iterations);
        Assert.True(found.Converged);
        Assert.Equal(0, found.Factors.DiscardedNorm, 1e-10 * found.Factors.Norm);
        Assert.Equal(0, Deltas.Distance(delta, found.Factors.Delta), 1e-10 * found.Factors.Norm);
    }

    [Theory]
    [InlineData(300, 420)]
    [InlineData(420, 300)]
    public void On_a_flat_spectrum_the_residual_is_almost_the_best_possible_and_the_reported_one(int rows, int columns)
    {
        var dense = Adapters.Fill(new Matrix(rows, columns), new Random(2));
        var best = Recompression.OfDense(dense, new RankPolicy(12));
        var found = Truncate(dense, new RankPolicy(12), 12, "q");
        Assert.InRange(found.Iterations, 8, 40);
        var residual = Dense.Distance(Models.Weight(dense.Values, rows, columns, false), Dense.Of(found.Factors.Delta));
        Assert.Equal(residual, found.Factors.DiscardedNorm, 1e-10 * residual);
        Assert.InRange(residual, best.DiscardedNorm * (1 - 1e-12), best.DiscardedNorm * (1 + 2e-4));
    }

    [Fact]
    public void Where_the_spectrum_falls_the_singular_values_are_those_of_the_whole_decomposition()
    {
        var dense = Falling(300, 350, 0.8);
        var best = Recompression.OfDense(dense, new RankPolicy(10));
        var found = Truncate(dense, new RankPolicy(10), 10, "q");
        Dense.AssertClose([.. best.S.Take(10)], [.. found.Factors.S.Take(10)], 1e-9 * best.S[0]);
        Assert.Equal(0, Deltas.Distance(best.Delta, found.Factors.Delta), 1e-7 * best.Norm);
        Assert.Equal(best.DiscardedNorm, found.Factors.DiscardedNorm, 1e-9 * best.Norm);
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(0.9)]
    [InlineData(0.99)]
    public void A_share_of_energy_is_one_of_the_whole_matrix(double energy)
    {
        var dense = Falling(290, 300, 0.9);
        var found = Truncate(dense, new RankPolicy(Energy: energy), 60, "q");
        Assert.Equal(Recompression.OfDense(dense, new RankPolicy(Energy: energy)).Delta.Rank, found.Factors.Delta.Rank);
    }

    [Fact]
    public void The_largest_rank_holds_where_the_energy_asks_for_more()
    {
        var dense = Adapters.Fill(new Matrix(300, 300), new Random(3));
        Assert.Equal(10, Truncate(dense, new RankPolicy(Energy: 0.99), 10, "q").Factors.Delta.Rank);
    }

    [Fact]
    public void Equal_matrices_give_equal_bits()
    {
        var dense = Adapters.Fill(new Matrix(300, 310), new Random(4));
        var (first, second) = (Truncate(dense, new RankPolicy(5), 5, "q").Factors.Delta, Truncate(dense, new RankPolicy(5), 5, "q").Factors.Delta);
        Assert.Equal(first.A.Values, second.A.Values);
        Assert.Equal(first.B.Values, second.B.Values);
    }

    [Fact]
    public void A_small_matrix_is_decomposed_whole()
    {
        var found = Truncate(Adapters.Fill(new Matrix(30, 20), new Random(5)), new RankPolicy(3), 128, "q");
        Assert.Equal((0, true, 3), (found.Iterations, found.Converged, found.Factors.Delta.Rank));
    }

    [Fact]
    public void Zero_has_rank_one_of_zeros_and_what_is_not_finite_is_refused()
    {
        var zero = Truncate(new Matrix(300, 300), RankPolicy.Lossless, 4, "q").Factors;
        Assert.Equal((1, 0d, 0d), (zero.Delta.Rank, zero.Norm, zero.DiscardedNorm));
        var broken = Adapters.Fill(new Matrix(300, 300), new Random(6));
        broken[7, 8] = double.NaN;
        Assert.Throws<NotFiniteNumberException>(() => Truncate(broken, RankPolicy.Lossless, 4, "q"));
    }

    private static DenseTruncation Truncate(Matrix dense, RankPolicy policy, int maxRank, string stream) =>
        SubspaceSvd.Truncate(dense, policy, maxRank, stream, TestContext.Current.CancellationToken);

    // Random factors whose singular values fall off like share^k, from random but nearly orthogonal directions.
    private static Matrix Falling(int rows, int columns, double share)
    {
        var delta = Adapters.Random(new Random(9), rows, columns, Math.Min(rows, columns));
        for (var k = 0; k < delta.Rank; k++)
            for (var j = 0; j < columns; j++)
                delta.A[k, j] *= Math.Pow(share, k);
        return Product(delta);
    }

    private static Matrix Product(LowRankDelta delta)
    {
        var dense = Dense.Of(delta);
        return new(delta.Out, delta.In, [.. dense.Cast<double>()]);
    }
}

using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Xunit;

namespace Marketplace.Tests.Algebra;

public sealed class RecompressionTests
{
    [Fact]
    public void Lossless_keeps_the_delta_and_no_more_ranks_than_it_has() => Cases.Delta.Sample(delta =>
    {
        var result = Recompression.Of(delta, RankPolicy.Lossless);
        var dense = Dense.Of(delta);
        Assert.True(Dense.Distance(dense, Dense.Of(result.Delta)) <= 1e-11 * Math.Max(1, Dense.Norm(dense)));
        var noise = 1e-10 * Math.Max(1, Dense.Norm(dense));
        Assert.Equal(Math.Max(1, Dense.SingularValues(dense).Count(s => s > noise)), result.Delta.Rank);
    });

    [Fact]
    public void Truncation_is_the_best_one_and_reports_what_it_discards() => Gen.Select(Cases.Delta, Gen.Int[1, 6]).Sample((delta, rank) =>
    {
        var result = Recompression.Of(delta, new RankPolicy(rank));
        var dense = Dense.Of(delta);
        var (whole, kept) = (Dense.Norm(dense), Dense.Norm(Dense.Of(result.Delta)));
        var scale = Math.Max(1, whole);
        Assert.True(result.Delta.Rank <= rank);
        Assert.Equal(Dense.Distance(dense, Dense.Truncate(dense, rank)), result.DiscardedNorm, 1e-11 * scale);
        Assert.Equal(Dense.Distance(dense, Dense.Of(result.Delta)), result.DiscardedNorm, 1e-11 * scale);
        Assert.Equal(whole, result.Norm, 1e-12 * scale);
        Assert.Equal(whole * whole, (kept * kept) + (result.DiscardedNorm * result.DiscardedNorm), 1e-11 * scale * scale); // Pythagoras
    });

    [Fact]
    public void Factors_are_balanced() => Cases.Delta.Sample(delta =>
    {
        var (b, a) = Recompression.Of(delta, RankPolicy.Lossless).Delta;
        for (var k = 0; k < a.Rows; k++)
        {
            var column = Math.Sqrt(Enumerable.Range(0, b.Rows).Sum(i => b[i, k] * b[i, k]));
            var row = Math.Sqrt(a.Row(k).ToArray().Sum(x => x * x));
            Assert.Equal(column, row, 1e-12 * Math.Max(1, row));
        }
    });

    [Theory]
    [InlineData(null, 0.5, null, 1)] // squares 16, 4, 1, 1 of 22
    [InlineData(null, 0.72, null, 1)]
    [InlineData(null, 0.73, null, 2)]
    [InlineData(null, 0.95, null, 3)]
    [InlineData(null, 1.0, null, 4)]
    [InlineData(3, null, null, 3)]
    [InlineData(9, null, null, 4)]
    [InlineData(1, 0.95, null, 1)]
    [InlineData(3, 0.73, null, 2)]
    [InlineData(null, null, 0.3, 2)]
    [InlineData(null, null, 0.5, 1)]
    [InlineData(null, null, null, 4)]
    public void The_smallest_rank_that_a_rule_allows_is_kept(int? rank, double? energy, double? tolerance, int expected) =>
        Assert.Equal(expected, new RankPolicy(rank, energy, tolerance).Keep([4, 2, 1, 1, 1e-17], 1e-15));

    [Theory]
    [InlineData(0, null, null)]
    [InlineData(null, 0.0, null)]
    [InlineData(null, 1.01, null)]
    [InlineData(null, double.NaN, null)]
    [InlineData(null, null, -0.1)]
    [InlineData(null, null, 1.0)]
    public void Rules_that_make_no_sense_say_so(int? rank, double? energy, double? tolerance) =>
        Assert.NotNull(new RankPolicy(rank, energy, tolerance).Invalid);

    [Fact]
    public void A_delta_that_cancels_becomes_rank_one_zeros()
    {
        var delta = Adapters.Random(new Random(3), 9, 7, 3);
        var result = Recompression.Of(Deltas.WeightedSum([(1, delta), (-1, Cases.Regauge(delta, 8))]), RankPolicy.Lossless).Delta;
        Assert.Equal(1, result.Rank);
        Assert.All(result.B.Values, x => Assert.Equal(0, x));
        Assert.All(result.A.Values, x => Assert.Equal(0, x));
    }

    [Fact]
    public void Zero_padding_and_regauging_change_nothing() => Gen.Select(Cases.Delta, Gen.Int[0, 99]).Sample((delta, seed) =>
    {
        var dense = Dense.Of(delta);
        var policy = new RankPolicy(Energy: 0.9);
        var (plain, padded, regauged) =
            (Recompression.Of(delta, policy), Recompression.Of(Cases.Pad(delta, 3), policy), Recompression.Of(Cases.Regauge(delta, seed), policy));
        Assert.True(Dense.Distance(Dense.Of(plain.Delta), Dense.Of(padded.Delta)) <= 1e-10 * Math.Max(1, Dense.Norm(dense)));
        Assert.True(Dense.Distance(Dense.Of(plain.Delta), Dense.Of(regauged.Delta)) <= 1e-9 * Math.Max(1, Dense.Norm(dense)));
    });
}

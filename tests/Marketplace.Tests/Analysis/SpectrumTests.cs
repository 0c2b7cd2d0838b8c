using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Analysis;

public sealed class SpectrumTests
{
    [Fact]
    public void Spectrum_norm_and_direction_are_those_of_the_dense_matrix() => Cases.Delta.Sample(delta =>
    {
        var dense = Dense.Of(delta);
        var spectrum = LowRankSpectrum.Of(delta.B.Values, delta.A.Values, delta.Rank);
        var size = Math.Sqrt(delta.B.Values.Sum(x => x * x) * delta.A.Values.Sum(x => x * x));
        Dense.AssertClose([.. Dense.SingularValues(dense).Take(delta.Rank)], spectrum.S, 1e-13 * (1 + size));
        Assert.Equal(Dense.Norm(dense), spectrum.Norm, 1e-13 * (1 + size));
        Assert.Equal(Math.Min(delta.Rank, Math.Min(delta.Out, delta.In)), spectrum.S.Length);
        var direction = spectrum.Direction(delta.A.Values);
        if (spectrum.S1 > 0)
            Assert.Equal(spectrum.S1, Dense.Norm(Column(Dense.Apply(dense, direction))), 1e-12 * (1 + size));
        else
            Assert.All(direction, x => Assert.Equal(0, x));
    });

    [Fact]
    public void It_agrees_with_the_whole_decomposition_over_many_blocks_of_rows()
    {
        foreach (var (rows, columns, rank) in new[] { (3000, 1777, 16), (700, 5000, 3), (1100, 900, 70), (40, 2000, 64) })
        {
            var delta = Adapters.Random(new Random(rows), rows, columns, rank);
            var (svd, spectrum) = (LowRankSvd.Of(delta), LowRankSpectrum.Of(delta.B.Values, delta.A.Values, rank));
            Dense.AssertClose(svd.S, spectrum.S, 1e-12 * svd.S[0]);
            Assert.Equal(1, svd.Vt.Row(0).ToArray().Zip(spectrum.Direction(delta.A.Values), (x, y) => x * y).Sum(), 1e-12);
        }
    }

    [Fact]
    public void Small_singular_values_survive_that_squares_would_lose()
    {
        // Singular values 1 and 1e-10: their squares differ by more than float64 holds.
        var q = new Matrix(400, 2);
        for (var i = 0; i < 400; i++)
            (q[i, 0], q[i, 1]) = (1 / Math.Sqrt(400), (i % 2 == 0 ? 1e-10 : -1e-10) / Math.Sqrt(400));
        var spectrum = LowRankSpectrum.Of(q.Values, [1, 0, 0, 0, 1, 0], 2);
        Assert.Equal(1, spectrum.S[0], 1e-14);
        Assert.Equal(1e-10, spectrum.S[1], 1e-15);
    }

    [Fact]
    public void A_product_that_cancels_is_zero()
    {
        var random = new Random(3);
        var (b, a) = (Adapters.Fill(new Matrix(50, 1), random), Adapters.Fill(new Matrix(1, 60), random));
        var twice = new LowRankDelta(new Matrix(50, 2, [.. b.Values.SelectMany(x => new[] { 1e6 * x, -1e6 * x })]), new Matrix(2, 60, [.. a.Values, .. a.Values]));
        Assert.Equal(0, LowRankSpectrum.Of(twice.B.Values, twice.A.Values, 2).S1);
        Assert.True(Prototype.Of("q", twice).IsZero);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void What_is_not_finite_has_no_spectrum(double bad)
    {
        Assert.Throws<NotFiniteNumberException>(() => LowRankSpectrum.Of([1, bad], [1, 1, 1], 1));
        Assert.Throws<NotFiniteNumberException>(() => LowRankSpectrum.Of([1, 1], [1, bad, 1], 1));
    }

    [Fact]
    public void The_quick_norm_agrees_where_nothing_cancels() => Cases.Delta.Sample(delta =>
    {
        var expected = Dense.Norm(Dense.Of(delta));
        var size = Math.Sqrt(delta.B.Values.Sum(x => x * x) * delta.A.Values.Sum(x => x * x));
        Assert.Equal(expected, FactorProducts.Norm(delta.B.Values, delta.A.Values, delta.Rank), 1e-7 * (1e-300 + size));
    });

    [Fact]
    public void The_quick_norm_takes_blocks_together()
    {
        var delta = Adapters.Random(new Random(5), 1500, 700, 5);
        Assert.Equal(Deltas.Norm(delta), FactorProducts.Norm(delta.B.Values, delta.A.Values, 5), 1e-9 * Deltas.Norm(delta));
    }

    private static double[,] Column(double[] x)
    {
        var column = new double[x.Length, 1];
        for (var i = 0; i < x.Length; i++)
            column[i, 0] = x[i];
        return column;
    }
}

using System.Numerics.Tensors;
using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Xunit;

namespace Marketplace.Tests.Algebra;

public sealed class LowRankTests
{
    [Fact]
    public void Svd_equals_the_dense_one() => Cases.Delta.Sample(delta =>
    {
        var (dense, svd) = (Dense.Of(delta), LowRankSvd.Of(delta));
        var q = Math.Min(delta.Rank, Math.Min(delta.Out, delta.In));
        var scale = Math.Max(1, Dense.Norm(dense));
        Dense.AssertClose([.. Dense.SingularValues(dense).Take(q)], svd.S, 1e-12 * scale);
        AssertOrthonormal(svd.Ut);
        AssertOrthonormal(svd.Vt);
        var (us, vt) = (MatrixMath.Transpose(svd.Ut), svd.Vt);
        for (var i = 0; i < us.Rows; i++)
            for (var k = 0; k < q; k++)
                us[i, k] *= svd.S[k];
        Assert.True(Dense.Distance(dense, Dense.Product(us, vt)) <= 1e-12 * scale);
    });

    [Fact]
    public void Svd_is_exact_for_singular_values_twelve_orders_apart()
    {
        var random = new Random(5);
        var (u, v) = (LowRankSvd.Of(Adapters.Random(random, 40, 6, 6)).Ut, LowRankSvd.Of(Adapters.Random(random, 30, 6, 6)).Ut);
        double[] s = [1e3, 10, 1e-1, 1e-4, 1e-7, 1e-9];
        var b = MatrixMath.Transpose(u);
        for (var i = 0; i < b.Rows; i++)
            for (var k = 0; k < 6; k++)
                b[i, k] *= s[k];
        var found = LowRankSvd.Of(Cases.Regauge(new(b, v), 3)).S;
        for (var k = 0; k < 6; k++)
            Assert.Equal(s[k], found[k], 1e-12 * 1e3 / 100);
    }

    [Fact]
    public void The_largest_entry_of_every_right_singular_vector_is_positive() => Cases.Delta.Sample(delta =>
    {
        var vt = LowRankSvd.Of(delta).Vt;
        for (var i = 0; i < vt.Rows; i++)
            Assert.True(vt.Row(i).ToArray().MaxBy(Math.Abs) > 0);
    });

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Factors_that_are_not_finite_are_refused(double value)
    {
        var delta = Adapters.Random(new Random(1), 4, 5, 2);
        delta.A[1, 3] = value;
        Assert.Throws<NotFiniteNumberException>(() => LowRankSvd.Of(delta));
    }

    [Fact]
    public void Inner_products_norms_and_sums_equal_the_dense_ones() => Cases.Terms.Sample(terms =>
    {
        var dense = terms.Select(t => (t.Weight, Matrix: Dense.Of(t.Delta))).ToArray();
        var scale = Math.Max(1, dense.Sum(d => Dense.Inner(d.Matrix, d.Matrix)));
        Assert.Equal(Dense.Inner(dense[0].Matrix, dense[1].Matrix), Deltas.Inner(terms[0].Delta, terms[1].Delta), 1e-12 * scale);
        Assert.Equal(Dense.Norm(dense[0].Matrix), Deltas.Norm(terms[0].Delta), 1e-12 * scale);
        Assert.Equal(Dense.Distance(dense[0].Matrix, dense[1].Matrix), Deltas.Distance(terms[0].Delta, terms[1].Delta), 1e-12 * scale);
        Assert.True(Dense.Distance(Dense.Sum(dense), Dense.Of(Deltas.WeightedSum(terms))) <= 1e-12 * scale);
    });

    [Fact]
    public void Distance_does_not_cancel_for_nearly_equal_deltas()
    {
        var first = Adapters.Random(new Random(2), 60, 50, 4);
        var second = new LowRankDelta(first.B, Cases.Copy(first.A));
        second.A[0, 0] += 1e-11;
        var exact = Dense.Norm(Dense.Sum((1, Dense.Of(first)), (-1, Dense.Of(second))));
        Assert.Equal(1, Deltas.Distance(first, second) / exact, 1e-3);
        var gram = Deltas.Inner(first, first) + Deltas.Inner(second, second) - (2 * Deltas.Inner(first, second));
        Assert.False(Math.Abs((Math.Sqrt(Math.Max(gram, 0)) / exact) - 1) < 0.5); // what the Gram formula makes of it
    }

    [Fact]
    public void Deltas_of_different_shapes_have_no_inner_product()
    {
        var random = new Random(1);
        Assert.Throws<ArgumentException>(() => Deltas.Inner(Adapters.Random(random, 4, 5, 2), Adapters.Random(random, 5, 4, 2)));
    }

    [Fact]
    public void Terms_of_weight_zero_cost_no_rank()
    {
        var random = new Random(1);
        var sum = Deltas.WeightedSum([(0, Adapters.Random(random, 4, 5, 2)), (2, Adapters.Random(random, 4, 5, 3))]);
        Assert.Equal(3, sum.Rank);
        Assert.Equal(1, Deltas.WeightedSum([(0, Adapters.Random(random, 4, 5, 2))]).Rank);
    }

    private static void AssertOrthonormal(Matrix rows)
    {
        var product = MatrixMath.TimesTransposed(rows, rows);
        for (var i = 0; i < rows.Rows; i++)
            for (var j = 0; j < rows.Rows; j++)
                Assert.Equal(i == j ? 1 : 0, product[i, j], 1e-12);
    }

    [Fact]
    public void Columns_whose_squares_vanish_leave_an_orthonormal_basis()
    {
        // What is left of a column beside a parallel one is its rounding, sixteen digits further down: somewhere on the way squares lose their digits, then themselves.
        double[] u = [0.3, -0.7, 0.2, 0.9, -0.4];
        for (var exponent = 60; exponent <= 180; exponent++)
        {
            var columns = new Matrix(4, u.Length);
            for (var i = 0; i < u.Length; i++)
            {
                columns[0, i] = u[i];
                columns[1, i] = u[i] * Math.Pow(10, -exponent);
                columns[2, i] = u[(i + 1) % u.Length] * Math.Pow(10, -exponent);
                columns[3, i] = u[i] / 3 * Math.Pow(10, -exponent / 2);
            }

            var triangle = TriangularFactor.OfColumns(columns.Values, u.Length);
            Assert.All(triangle.Values, x => Assert.True(double.IsFinite(x)));
            Assert.Equal(Math.Sqrt(1.59), Math.Abs(triangle[0, 0]), 1e-12);
            var (ut, s, vt) = JacobiSvd.Factor(MatrixMath.Transpose(columns));
            Assert.Equal(Math.Sqrt(1.59), s[0], 1e-12);
            foreach (var basis in new[] { ut, vt })
                for (var i = 0; i < basis.Rows; i++)
                    for (var j = 0; j < basis.Rows; j++)
                        Assert.Equal(i == j ? 1 : 0, TensorPrimitives.Dot<double>(basis.Row(i), basis.Row(j)), 1e-12);
        }
    }

    [Fact]
    public void Tiny_columns_have_the_triangle_of_large_ones()
    {
        var (large, tiny) = (new Matrix(3, 6), new Matrix(3, 6));
        var random = new Random(5);
        for (var i = 0; i < large.Values.Length; i++)
        {
            large.Values[i] = random.NextDouble() - 0.5;
            tiny.Values[i] = Math.ScaleB(large.Values[i], -520); // about 1e-157
        }

        var expected = TriangularFactor.OfColumns(large.Values, 6);
        Assert.Equal(expected.Values, TriangularFactor.OfColumns(tiny.Values, 6).Values.Select(x => Math.ScaleB(x, 520)));
        Assert.Equal(new ThinQr(large).R.Values, new ThinQr(tiny).R.Values.Select(x => Math.ScaleB(x, 520)));
    }
}

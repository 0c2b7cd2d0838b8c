using Marketplace.Core;
using MathNet.Numerics.LinearAlgebra;
using Xunit;
using Matrix = Marketplace.Core.Matrix;

namespace Marketplace.Tests.Algebra;

/// <summary>The oracle: everything on ΔW itself, with plain loops and another library's SVD.</summary>
internal static class Dense
{
    public static double[,] Of(LowRankDelta delta) => Product(delta.B, delta.A);

    public static double[,] Product(Matrix b, Matrix a)
    {
        var result = new double[b.Rows, a.Columns];
        for (var i = 0; i < b.Rows; i++)
            for (var j = 0; j < a.Columns; j++)
                for (var k = 0; k < a.Rows; k++)
                    result[i, j] += b[i, k] * a[k, j];
        return result;
    }

    public static double[,] Sum(params (double Weight, double[,] Matrix)[] terms)
    {
        var result = new double[terms[0].Matrix.GetLength(0), terms[0].Matrix.GetLength(1)];
        foreach (var (weight, matrix) in terms)
            for (var i = 0; i < result.GetLength(0); i++)
                for (var j = 0; j < result.GetLength(1); j++)
                    result[i, j] += weight * matrix[i, j];
        return result;
    }

    public static double Inner(double[,] x, double[,] y)
    {
        var sum = 0d;
        for (var i = 0; i < x.GetLength(0); i++)
            for (var j = 0; j < x.GetLength(1); j++)
                sum += x[i, j] * y[i, j];
        return sum;
    }

    public static double Norm(double[,] x) => Math.Sqrt(Inner(x, x));

    public static double Distance(double[,] x, double[,] y) => Norm(Sum((1, x), (-1, y)));

    public static double[] SingularValues(double[,] x) => [.. Matrix<double>.Build.DenseOfArray(x).Svd(false).S];

    public static double[,] Truncate(double[,] x, int rank)
    {
        var svd = Matrix<double>.Build.DenseOfArray(x).Svd();
        var result = new double[x.GetLength(0), x.GetLength(1)];
        for (var i = 0; i < result.GetLength(0); i++)
            for (var j = 0; j < result.GetLength(1); j++)
                for (var k = 0; k < Math.Min(rank, svd.S.Count); k++)
                    result[i, j] += svd.U[i, k] * svd.S[k] * svd.VT[k, j];
        return result;
    }

    public static double[] Apply(double[,] matrix, double[] x)
    {
        var y = new double[matrix.GetLength(0)];
        for (var i = 0; i < y.Length; i++)
            for (var j = 0; j < x.Length; j++)
                y[i] += matrix[i, j] * x[j];
        return y;
    }

    public static double[] Row(double[,] matrix, int row) => [.. Enumerable.Range(0, matrix.GetLength(1)).Select(j => matrix[row, j])];

    /// <summary>Relative Frobenius error of a factored delta against a dense one, at most <paramref name="tolerance"/>.</summary>
    public static void AssertClose(double[,] expected, LowRankDelta actual, double tolerance = 1e-10) =>
        AssertClose(expected, Of(actual), tolerance);

    public static void AssertClose(double[,] expected, double[,] actual, double tolerance = 1e-10)
    {
        var error = Distance(expected, actual);
        Assert.True(error <= tolerance * Math.Max(Norm(expected), 1e-300), $"relative error {error / Norm(expected):g3} exceeds {tolerance:g3}");
    }

    public static void AssertClose(IReadOnlyList<double> expected, IReadOnlyList<double> actual, double tolerance)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (var i = 0; i < expected.Count; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"entry {i}: {actual[i]:r} is not {expected[i]:r}");
    }
}

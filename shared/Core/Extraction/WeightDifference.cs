using System.Numerics.Tensors;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Extraction;

/// <summary>How two tensors of one shape lie to each other.</summary>
/// <param name="FirstNorm">|X|.</param>
/// <param name="SecondNorm">|Y|.</param>
/// <param name="Difference">|Y − X|.</param>
/// <param name="Cosine">Of X and Y; 0 where either vanishes.</param>
public sealed record WeightComparison(double FirstNorm, double SecondNorm, double Difference, double Cosine)
{
    /// <summary>|Y − X| ∕ |X|; null where X = 0.</summary>
    public double? Relative => FirstNorm > 0 ? Difference / FirstNorm : null;
}

/// <summary>Differences of two models' tensors, in float64 and in parts, so that never both are in memory whole.</summary>
internal static class WeightDifference
{
    private const int Part = 1 << 20;

    /// <summary>Y − X in the order stored.</summary>
    public static double[] Values(BaseWeights first, TensorInfo x, BaseWeights second, TensorInfo y, out double firstNorm)
    {
        var values = second.Read(y);
        var part = new double[Math.Min(Part, values.Length)];
        var squares = 0d;
        for (var start = 0; start < values.Length; start += Part)
        {
            var count = Math.Min(Part, values.Length - start);
            var target = values.AsSpan(start, count);
            var xs = part.AsSpan(0, count);
            first.Read(x, start, xs);
            squares += TensorPrimitives.SumOfSquares<double>(xs);
            TensorPrimitives.Subtract<double>(target, xs, target);
        }

        firstNorm = Math.Sqrt(squares);
        return values;
    }

    /// <summary>ΔW of shape (out, in) of two weights that are stored as (out, in), or as (in, out) if <paramref name="transposed"/>.</summary>
    public static Matrix Delta(BaseWeights first, TensorInfo x, BaseWeights second, TensorInfo y, bool transposed, out double firstNorm)
    {
        var stored = new Matrix((int)x.Shape[0], (int)x.Shape[1], Values(first, x, second, y, out firstNorm));
        return transposed ? MatrixMath.Transpose(stored) : stored;
    }

    /// <summary>Whether a pair differs in any value; being stored in another type is no difference.</summary>
    public static bool Differs(BaseWeights first, BaseWeights second, WeightPair pair) =>
        !first.SameBytes(pair.Base, second, pair.Tuned)
        && (pair.Base.Type == pair.Tuned.Type || Compare(first, pair.Base, second, pair.Tuned).Difference != 0);

    /// <summary>Compares two tensors of one shape.</summary>
    public static WeightComparison Compare(BaseWeights first, TensorInfo x, BaseWeights second, TensorInfo y)
    {
        var size = (int)Math.Min(Part, x.ElementCount);
        var (xs, ys) = (new double[size], new double[size]);
        double xx = 0, yy = 0, xy = 0, dd = 0;
        for (var start = 0L; start < x.ElementCount; start += size)
        {
            var count = (int)Math.Min(size, x.ElementCount - start);
            var a = xs.AsSpan(0, count);
            var b = ys.AsSpan(0, count);
            first.Read(x, start, a);
            second.Read(y, start, b);
            xx += TensorPrimitives.SumOfSquares<double>(a);
            yy += TensorPrimitives.SumOfSquares<double>(b);
            xy += TensorPrimitives.Dot<double>(a, b);
            TensorPrimitives.Subtract<double>(b, a, b);
            dd += TensorPrimitives.SumOfSquares<double>(b);
        }

        var scale = Math.Sqrt(xx) * Math.Sqrt(yy);
        return new(Math.Sqrt(xx), Math.Sqrt(yy), Math.Sqrt(dd), scale > 0 ? Math.Clamp(xy / scale, -1, 1) : 0);
    }
}

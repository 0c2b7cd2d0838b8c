using System.Numerics;
using System.Runtime.InteropServices;

namespace Marketplace.Core.Methods;

/// <summary>
/// Vectors of length 1, row after row, in single precision. Each cosine is summed in one order, whether it is computed alone or in a tile: equal pairs give equal bits, whichever comes first.
/// </summary>
internal sealed class UnitRows
{
    private readonly float[] values;

    private UnitRows(float[] values, int size, int[] indices) => (this.values, Size, Indices) = (values, size, indices);

    /// <summary>Numbers of a row.</summary>
    public int Size { get; }

    /// <summary>Which of the vectors given each row is: those that are zero have none.</summary>
    public int[] Indices { get; }

    /// <summary>Number of rows.</summary>
    public int Count => Indices.Length;

    /// <summary>Divides vectors by their lengths.</summary>
    /// <exception cref="ArgumentException">The vectors have different sizes, or an entry is not finite.</exception>
    public static UnitRows Of(IReadOnlyList<ReadOnlyMemory<float>> vectors)
    {
        var size = vectors.Count == 0 ? 0 : vectors[0].Length;
        var norms = new double[vectors.Count];
        for (var i = 0; i < norms.Length; i++)
        {
            if (vectors[i].Length != size)
                throw new ArgumentException($"Vector {i} has {vectors[i].Length} numbers, the first {size}.", nameof(vectors));
            norms[i] = Length(vectors[i].Span);
            if (!double.IsFinite(norms[i]))
                throw new ArgumentException($"Vector {i} is not finite.", nameof(vectors));
        }

        int[] indices = [.. Enumerable.Range(0, norms.Length).Where(i => norms[i] > 0)];
        var values = new float[checked(indices.Length * size)];
        Parallel.For(0, indices.Length, row =>
        {
            var source = vectors[indices[row]].Span;
            var norm = norms[indices[row]];
            for (var k = 0; k < size; k++)
                values[(row * size) + k] = (float)(source[k] / norm);
        });
        return new(values, size, indices);
    }

    /// <summary>One row.</summary>
    public ReadOnlySpan<float> Row(int i) => values.AsSpan(i * Size, Size);

    /// <summary>The cosine of two rows.</summary>
    public float Cosine(int i, int j)
    {
        var sum = Vector<float>.Zero;
        var x = Vectors(i);
        var y = Vectors(j);
        for (var k = 0; k < x.Length; k++)
            sum = Vector.FusedMultiplyAdd(x[k], y[k], sum);
        return Finish(sum, i, j);
    }

    /// <summary>The cosines of rows i and i + 1 with four consecutive rows from j on.</summary>
    public void Cosines(int i, int j, Span<float> first, Span<float> second)
    {
        var (a0, a1, a2, a3) = (Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero);
        var (b0, b1, b2, b3) = (Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero);
        var x0 = Vectors(i);
        var x1 = Vectors(i + 1)[..x0.Length];
        var y0 = Vectors(j)[..x0.Length];
        var y1 = Vectors(j + 1)[..x0.Length];
        var y2 = Vectors(j + 2)[..x0.Length];
        var y3 = Vectors(j + 3)[..x0.Length];
        for (var k = 0; k < x0.Length; k++)
        {
            var (u, v) = (x0[k], x1[k]);
            a0 = Vector.FusedMultiplyAdd(u, y0[k], a0);
            a1 = Vector.FusedMultiplyAdd(u, y1[k], a1);
            a2 = Vector.FusedMultiplyAdd(u, y2[k], a2);
            a3 = Vector.FusedMultiplyAdd(u, y3[k], a3);
            b0 = Vector.FusedMultiplyAdd(v, y0[k], b0);
            b1 = Vector.FusedMultiplyAdd(v, y1[k], b1);
            b2 = Vector.FusedMultiplyAdd(v, y2[k], b2);
            b3 = Vector.FusedMultiplyAdd(v, y3[k], b3);
        }

        first[0] = Finish(a0, i, j);
        first[1] = Finish(a1, i, j + 1);
        first[2] = Finish(a2, i, j + 2);
        first[3] = Finish(a3, i, j + 3);
        second[0] = Finish(b0, i + 1, j);
        second[1] = Finish(b1, i + 1, j + 1);
        second[2] = Finish(b2, i + 1, j + 2);
        second[3] = Finish(b3, i + 1, j + 3);
    }

    private float Finish(Vector<float> sum, int i, int j)
    {
        var result = Vector.Sum(sum);
        for (var k = Size - (Size % Vector<float>.Count); k < Size; k++)
            result += values[(i * Size) + k] * values[(j * Size) + k];
        return result;
    }

    private ReadOnlySpan<Vector<float>> Vectors(int i) => MemoryMarshal.Cast<float, Vector<float>>(Row(i));

    private static double Length(ReadOnlySpan<float> vector)
    {
        var sum = 0d;
        foreach (var x in vector)
            sum += (double)x * x;
        return Math.Sqrt(sum);
    }
}

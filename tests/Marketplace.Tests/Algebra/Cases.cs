using CsCheck;
using Marketplace.Core;

namespace Marketplace.Tests.Algebra;

/// <summary>Random shapes and factors: narrow, wide, rank above either side, rank-deficient, now and then zero.</summary>
internal static class Cases
{
    public static readonly Gen<(int Out, int In, int Seed)> Shape = Gen.Select(Gen.Int[1, 12], Gen.Int[1, 12], Gen.Int[0, 1_000_000]);

    public static readonly Gen<LowRankDelta> Delta = Gen.Select(Shape, Gen.Int[1, 15], Gen.Int[0, 5])
        .Select((shape, rank, kind) => Make(new Random(shape.Seed), shape.Out, shape.In, rank, kind));

    /// <summary>Two to four adapters of one shape and different ranks, with weights.</summary>
    public static readonly Gen<(double Weight, LowRankDelta Delta)[]> Terms = Gen.Select(Shape, Gen.Int[2, 4])
        .Select((shape, count) =>
        {
            var random = new Random(shape.Seed);
            return Enumerable.Range(0, count)
                .Select(_ => (Adapters.Normal(random), Make(random, shape.Out, shape.In, random.Next(1, 9), random.Next(6))))
                .ToArray();
        });

    /// <summary>The same ΔW in other factors: (B·M, M⁻¹·A) with a random well-conditioned M.</summary>
    public static LowRankDelta Regauge(LowRankDelta delta, int seed)
    {
        var random = new Random(seed);
        var (b, a) = (Copy(delta.B), Copy(delta.A));
        for (var step = 0; step < 4 * delta.Rank; step++)
        {
            // Elementary steps: column j of B += t·column i, row i of A −= t·row j; then a scaling.
            var (i, j, t) = (random.Next(delta.Rank), random.Next(delta.Rank), (2 * random.NextDouble()) - 1);
            for (var row = 0; row < b.Rows; row++)
                b[row, j] = i == j ? b[row, j] * -1.5 : b[row, j] + (t * b[row, i]);
            for (var column = 0; column < a.Columns; column++)
            {
                if (i == j)
                    a[j, column] /= -1.5;
                else
                    a[i, column] -= t * a[j, column];
            }
        }
        return new(b, a);
    }

    /// <summary>The same ΔW with rows and columns of zeros added.</summary>
    public static LowRankDelta Pad(LowRankDelta delta, int extra)
    {
        var (b, a) = (new Matrix(delta.Out, delta.Rank + extra), new Matrix(delta.Rank + extra, delta.In));
        for (var i = 0; i < delta.Out; i++)
            delta.B.Row(i).CopyTo(b.Row(i));
        delta.A.Values.CopyTo(a.Values, 0);
        return new(b, a);
    }

    public static Matrix Copy(Matrix matrix) => new(matrix.Rows, matrix.Columns, [.. matrix.Values]);

    private static LowRankDelta Make(Random random, int rows, int columns, int rank, int kind)
    {
        var delta = Adapters.Random(random, rows, columns, rank);
        if (kind == 0)
            Array.Clear(delta.B.Values); // freshly initialised
        if (kind == 1 && rank > 1)
            delta.A.Row(0).CopyTo(delta.A.Row(rank - 1)); // rank-deficient
        return delta;
    }
}

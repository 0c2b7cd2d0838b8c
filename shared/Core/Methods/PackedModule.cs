using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Methods;

/// <summary>A module's factors rounded to their element type: a fraction of the memory of float64, padded only when written.</summary>
/// <param name="Module">The module, with its rank before padding.</param>
/// <param name="Type">The element type.</param>
/// <param name="B">Shape (out, rank), little-endian.</param>
/// <param name="A">Shape (rank, in), little-endian.</param>
internal sealed record PackedModule(TargetModule Module, TensorType Type, byte[] B, byte[] A)
{
    /// <summary>Zeros of rank 0.</summary>
    public static PackedModule Zero(TargetModule module, TensorType type) => new(module with { Rank = 0, Scaling = 1 }, type, [], []);

    /// <summary>Rounds the factors, after evening out the size of each pair of a column of B and a row of A.</summary>
    public static PackedModule Pack(TargetModule module, LowRankDelta delta, TensorType type, out ConversionLoss loss)
    {
        var balanced = Balance(delta);
        var width = type.Bits() / 8;
        var packed = new PackedModule(
            module with { Rank = delta.Rank, Scaling = 1 }, type,
            new byte[balanced.B.Values.Length * width], new byte[balanced.A.Values.Length * width]);
        var (lossB, lossA) = (TensorConversion.FromDouble(type, balanced.B.Values, packed.B), TensorConversion.FromDouble(type, balanced.A.Values, packed.A));
        loss = new(lossB.Overflowed + lossA.Overflowed, lossB.Underflowed + lossA.Underflowed);
        return packed;
    }

    /// <summary>B as it is written: padded with columns of zeros.</summary>
    public byte[] PaddedB(int rank)
    {
        var (from, to) = (Module.Rank * Type.Bits() / 8, rank * Type.Bits() / 8);
        var padded = new byte[Module.Out * to];
        for (var i = 0; i < Module.Out; i++)
            B.AsSpan(i * from, from).CopyTo(padded.AsSpan(i * to));
        return padded;
    }

    /// <summary>A as it is written: padded with rows of zeros.</summary>
    public byte[] PaddedA(int rank)
    {
        var padded = new byte[rank * Module.In * Type.Bits() / 8];
        A.CopyTo(padded, 0);
        return padded;
    }

    /// <summary>The factors that a reader gets back.</summary>
    /// <param name="rank">The rank after padding.</param>
    public LowRankDelta Unpack(int rank)
    {
        var (b, a) = (new Matrix(Module.Out, rank), new Matrix(rank, Module.In));
        TensorConversion.ToDouble(Type, PaddedB(rank), b.Values);
        TensorConversion.ToDouble(Type, PaddedA(rank), a.Values);
        return new(b, a);
    }

    // Scaling by powers of two is exact, so this changes nothing but the range that half precision has to cover.
    private static LowRankDelta Balance(LowRankDelta delta)
    {
        var (b, a) = (new Matrix(delta.Out, delta.Rank, [.. delta.B.Values]), new Matrix(delta.Rank, delta.In, [.. delta.A.Values]));
        for (var k = 0; k < delta.Rank; k++)
        {
            var row = Math.Sqrt(a.Row(k).ToArray().Sum(x => x * x));
            var column = Math.Sqrt(Enumerable.Range(0, b.Rows).Sum(i => b[i, k] * b[i, k]));
            if (!(row > 0 && column > 0 && double.IsFinite(row) && double.IsFinite(column)))
                continue;
            var exponent = (int)Math.Round((Math.Log2(row) - Math.Log2(column)) / 2);
            for (var i = 0; i < b.Rows; i++)
                b[i, k] = Math.ScaleB(b[i, k], exponent);
            foreach (ref var x in a.Row(k))
                x = Math.ScaleB(x, -exponent);
        }
        return new(b, a);
    }
}

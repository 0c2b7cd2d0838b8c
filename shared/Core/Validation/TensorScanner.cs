using System.Numerics;
using System.Runtime.InteropServices;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Validation;

/// <summary>What one look at a tensor's numbers tells. For types that are no floating-point numbers we know nothing.</summary>
/// <param name="NonFinite">How many are NaN or infinite.</param>
/// <param name="MaxAbs">The largest magnitude; infinite or NaN if any is.</param>
internal readonly record struct TensorScan(long NonFinite, double MaxAbs)
{
    public bool IsZero => MaxAbs == 0;
}

/// <summary>
/// Looks at the numbers of a weights file as its data streams by, in pieces of any size. Without their sign the bits of floating-point
/// numbers order as the numbers do, with infinity and NaN on top; so one maximum over integers finds zeros, magnitudes and faults alike.
/// </summary>
internal sealed class TensorScanner(SafetensorsHeader header, FactorCollector? factors = null)
{
    private readonly Dictionary<string, TensorScan> scans = new(StringComparer.Ordinal);
    private readonly byte[] carry = new byte[8];
    private int next;
    private long position;
    private int carried;
    private ulong max;
    private long nonFinite;

    /// <summary>The tensors seen whole so far.</summary>
    public IReadOnlyDictionary<string, TensorScan> Scans => scans;

    /// <summary>Takes the next piece of the data area.</summary>
    public void Feed(ReadOnlySpan<byte> piece)
    {
        while (next < header.Tensors.Length)
        {
            var tensor = header.Tensors[next];
            var length = (int)Math.Min(piece.Length, tensor.End - position);
            var part = piece[..length];
            factors?.Feed(tensor, part);
            if (tensor.Type.IsFactorType())
                Look(part, tensor.Type.Bits() / 8);
            position += length;
            piece = piece[length..];
            if (position < tensor.End)
                return;
            if (tensor.Type.IsFactorType())
                scans[tensor.Name] = new(nonFinite, Magnitude(tensor.Type, max));
            factors?.Complete(tensor);
            (max, nonFinite, next) = (0, 0, next + 1);
        }
    }

    private static double Magnitude(TensorType type, ulong bits) => type switch
    {
        TensorType.F64 => BitConverter.UInt64BitsToDouble(bits),
        TensorType.F32 => BitConverter.UInt32BitsToSingle((uint)bits),
        TensorType.F16 => (double)BitConverter.UInt16BitsToHalf((ushort)bits),
        _ => BitConverter.UInt32BitsToSingle((uint)bits << 16),
    };

    // An element may lie across two pieces; its first bytes wait for the rest.
    private void Look(ReadOnlySpan<byte> part, int width)
    {
        if (carried > 0)
        {
            var missing = Math.Min(width - carried, part.Length);
            part[..missing].CopyTo(carry.AsSpan(carried));
            carried += missing;
            part = part[missing..];
            if (carried < width)
                return;
            LookWhole(carry.AsSpan(0, width), width);
            carried = 0;
        }

        var whole = part.Length / width * width;
        LookWhole(part[..whole], width);
        part[whole..].CopyTo(carry);
        carried = part.Length - whole;
    }

    private void LookWhole(ReadOnlySpan<byte> part, int width)
    {
        var type = header.Tensors[next].Type;
        switch (type)
        {
            case TensorType.F64:
                Accumulate<ulong>(MemoryMarshal.Cast<byte, ulong>(part), 0x7FFF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000);
                break;
            case TensorType.F32:
                Accumulate<uint>(MemoryMarshal.Cast<byte, uint>(part), 0x7FFF_FFFF, 0x7F80_0000);
                break;
            default:
                Accumulate<ushort>(MemoryMarshal.Cast<byte, ushort>(part), 0x7FFF, type == TensorType.F16 ? (ushort)0x7C00 : (ushort)0x7F80);
                break;
        }
    }

    private void Accumulate<T>(ReadOnlySpan<T> values, T mask, T infinity)
        where T : unmanaged, IBinaryInteger<T>
    {
        var top = Max(values, mask);
        max = Math.Max(max, ulong.CreateTruncating(top));
        if (top < infinity)
            return;
        foreach (var value in values)
            nonFinite += (value & mask) >= infinity ? 1 : 0;
    }

    private static T Max<T>(ReadOnlySpan<T> values, T mask)
        where T : unmanaged, IBinaryInteger<T>
    {
        var (masks, tops, others) = (new Vector<T>(mask), Vector<T>.Zero, Vector<T>.Zero);
        var vectors = MemoryMarshal.Cast<T, Vector<T>>(values);
        for (var i = 0; i + 1 < vectors.Length; i += 2)
        {
            tops = Vector.Max(tops, vectors[i] & masks);
            others = Vector.Max(others, vectors[i + 1] & masks);
        }

        tops = Vector.Max(tops, others);
        var top = T.Zero;
        for (var i = 0; i < Vector<T>.Count; i++)
            top = T.Max(top, tops[i]);
        for (var i = vectors.Length / 2 * 2 * Vector<T>.Count; i < values.Length; i++)
            top = T.Max(top, values[i] & mask);
        return top;
    }
}

using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Marketplace.Core.Formats;

/// <summary>What rounding to a narrower type lost.</summary>
/// <param name="Overflowed">Finite values that became infinite.</param>
/// <param name="Underflowed">Values other than zero that became zero.</param>
public readonly record struct ConversionLoss(long Overflowed, long Underflowed);

/// <summary>Conversions between stored elements (little-endian) and numbers. Widening is exact; narrowing rounds once, to nearest, ties to even.</summary>
public static class TensorConversion
{
    private const int Chunk = 2048; // stays in the first cache
    private const string Unsupported = "Only F64, F32, F16 and BF16 hold factors.";

    /// <summary>Widens stored elements to float64.</summary>
    /// <exception cref="ArgumentException">The type is no factor type, or the lengths don't agree.</exception>
    public static void ToDouble(TensorType type, ReadOnlySpan<byte> source, Span<double> target)
    {
        CheckLengths(type, source.Length, target.Length);
        switch (type)
        {
            case TensorType.F64:
                MemoryMarshal.Cast<byte, double>(source).CopyTo(target);
                break;
            case TensorType.F32:
                TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, float>(source), target);
                break;
            case TensorType.F16:
                var halves = MemoryMarshal.Cast<byte, Half>(source);
                Span<float> singles = stackalloc float[Math.Min(Chunk, halves.Length)];
                for (var i = 0; i < halves.Length; i += Chunk)
                {
                    var part = halves[i..Math.Min(i + Chunk, halves.Length)];
                    TensorPrimitives.ConvertToSingle(part, singles);
                    TensorPrimitives.ConvertTruncating<float, double>(singles[..part.Length], target[i..]);
                }

                break;
            default:
                var upper = MemoryMarshal.Cast<byte, ushort>(source);
                singles = stackalloc float[Math.Min(Chunk, upper.Length)];
                for (var i = 0; i < upper.Length; i += Chunk)
                {
                    var part = upper[i..Math.Min(i + Chunk, upper.Length)];
                    Widen(part, singles[..part.Length]);
                    TensorPrimitives.ConvertTruncating<float, double>(singles[..part.Length], target[i..]);
                }

                break;
        }
    }

    /// <summary>Widens stored elements to float32; F64 is rounded.</summary>
    /// <exception cref="ArgumentException">The type is no factor type, or the lengths don't agree.</exception>
    public static void ToSingle(TensorType type, ReadOnlySpan<byte> source, Span<float> target)
    {
        CheckLengths(type, source.Length, target.Length);
        switch (type)
        {
            case TensorType.F64:
                TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, double>(source), target);
                break;
            case TensorType.F32:
                MemoryMarshal.Cast<byte, float>(source).CopyTo(target);
                break;
            case TensorType.F16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), target);
                break;
            default:
                Widen(MemoryMarshal.Cast<byte, ushort>(source), target);
                break;
        }
    }

    /// <summary>Rounds numbers to stored elements, and counts what left the type's range.</summary>
    /// <exception cref="ArgumentException">The type is no factor type, or the lengths don't agree.</exception>
    public static ConversionLoss FromDouble(TensorType type, ReadOnlySpan<double> source, Span<byte> target)
    {
        CheckLengths(type, target.Length, source.Length);
        switch (type)
        {
            case TensorType.F64:
                MemoryMarshal.AsBytes(source).CopyTo(target);
                return default;
            case TensorType.F32:
                var singles = MemoryMarshal.Cast<byte, float>(target);
                var loss = default(ConversionLoss);
                for (var i = 0; i < source.Length; i++)
                {
                    singles[i] = (float)source[i];
                    loss = Count(loss, source[i], float.IsInfinity(singles[i]), singles[i] == 0);
                }

                return loss;
            case TensorType.F16:
                var halves = MemoryMarshal.Cast<byte, Half>(target);
                loss = default;
                for (var i = 0; i < source.Length; i++)
                {
                    halves[i] = (Half)source[i];
                    loss = Count(loss, source[i], Half.IsInfinity(halves[i]), Half.Abs(halves[i]) == Half.Zero);
                }

                return loss;
            default:
                var upper = MemoryMarshal.Cast<byte, ushort>(target);
                loss = default;
                for (var i = 0; i < source.Length; i++)
                {
                    upper[i] = ToBFloat16(source[i]);
                    loss = Count(loss, source[i], (upper[i] & 0x7FFF) == 0x7F80, (upper[i] & 0x7FFF) == 0);
                }

                return loss;
        }
    }

    /// <summary>The bits of the bfloat16 nearest to <paramref name="value"/>, ties to even; NaN stays NaN.</summary>
    public static ushort ToBFloat16(double value)
    {
        if (double.IsNaN(value))
            return (ushort)(0x7FC0 | (double.IsNegative(value) ? 0x8000 : 0));

        // Rounding twice could go wrong at a tie, so the first rounding is to odd: towards zero, the last bit set if anything was cut off.
        var single = (float)value;
        var bits = BitConverter.SingleToUInt32Bits(single);
        if (single != value)
            bits = (Math.Abs((double)single) > Math.Abs(value) ? bits - 1 : bits) | 1;
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    // A bfloat16 is the upper half of a float32.
    private static void Widen(ReadOnlySpan<ushort> upper, Span<float> target)
    {
        var bits = MemoryMarshal.Cast<float, uint>(target);
        TensorPrimitives.ConvertTruncating(upper, bits);
        TensorPrimitives.ShiftLeft<uint>(bits[..upper.Length], 16, bits);
    }

    private static ConversionLoss Count(ConversionLoss loss, double value, bool infinite, bool zero) => new(
        loss.Overflowed + (infinite && double.IsFinite(value) ? 1 : 0),
        loss.Underflowed + (zero && value != 0 ? 1 : 0));

    private static void CheckLengths(TensorType type, long bytes, long elements)
    {
        if (!type.IsFactorType())
            throw new ArgumentException($"{type} can't be converted. {Unsupported}", nameof(type));
        if (bytes != elements * (type.Bits() / 8))
            throw new ArgumentException($"{elements} elements of {type} are not {bytes} bytes.");
    }
}

using System.Runtime.InteropServices;
using CsCheck;
using Marketplace.Core.Formats;
using Xunit;

namespace Marketplace.Tests.Formats;

public sealed class TensorConversionTests
{
    [Fact]
    public void Every_bfloat16_survives_the_way_there_and_back()
    {
        for (var bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var value = new double[1];
            TensorConversion.ToDouble(TensorType.BF16, BitConverter.GetBytes((ushort)bits), value);
            if (double.IsNaN(value[0]))
                Assert.True(double.IsNaN(BitConverter.UInt32BitsToSingle((uint)TensorConversion.ToBFloat16(value[0]) << 16)));
            else
                Assert.Equal((ushort)bits, TensorConversion.ToBFloat16(value[0]));
        }
    }

    [Theory]
    [InlineData(1.0, 0x3F80)]
    [InlineData(-0.0, 0x8000)]
    [InlineData(1.00390625, 0x3F80)] // halfway, down to even
    [InlineData(1.01171875, 0x3F82)] // halfway, up to even
    [InlineData(1.0039062500000002, 0x3F81)] // just above halfway: a float would lose the excess and round down
    [InlineData(1.0117187499999998, 0x3F81)] // just below halfway: a float would round to the tie and then up
    [InlineData(3.3895313892515355e38, 0x7F7F)]
    [InlineData(3.4e38, 0x7F80)]
    [InlineData(1e300, 0x7F80)]
    [InlineData(-1e300, 0xFF80)]
    [InlineData(double.PositiveInfinity, 0x7F80)]
    [InlineData(double.Epsilon, 0x0000)]
    [InlineData(9.183549615799121e-41, 0x0001)]
    public void Bfloat16_rounds_once_to_nearest_even(double value, int bits) => Assert.Equal(bits, TensorConversion.ToBFloat16(value));

    [Fact]
    public void Bfloat16_is_the_nearest_of_its_neighbours() => Gen.Double[-1e30, 1e30].Sample(value =>
    {
        static double Widen(int bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
        var bits = TensorConversion.ToBFloat16(value);
        var distance = Math.Abs(Widen(bits) - value);
        return (bits & 0x7FFF) is 0 or 0x7F7F || (distance <= Math.Abs(Widen(bits - 1) - value) && distance <= Math.Abs(Widen(bits + 1) - value));
    });

    [Theory]
    [InlineData(TensorType.F64, 0, 0)]
    [InlineData(TensorType.F32, 1, 1)]
    [InlineData(TensorType.F16, 2, 3)]
    [InlineData(TensorType.BF16, 1, 1)]
    public void Losses_are_counted(TensorType type, int overflowed, int underflowed)
    {
        double[] values = [1e300, 70000, 1, -1e-9, -1e-30, 1e-300, 0, double.PositiveInfinity, double.NaN];
        var loss = TensorConversion.FromDouble(type, values, new byte[values.Length * type.Bits() / 8]);
        Assert.Equal(new ConversionLoss(overflowed, underflowed), loss);
    }

    [Fact]
    public void Narrow_types_widen_exactly()
    {
        var halves = Enumerable.Range(0, ushort.MaxValue + 1).Select(i => (ushort)i).ToArray();
        var (doubles, singles, back) = (new double[halves.Length], new float[halves.Length], new byte[halves.Length * 2]);
        TensorConversion.ToDouble(TensorType.F16, MemoryMarshal.AsBytes<ushort>(halves), doubles);
        TensorConversion.ToSingle(TensorType.F16, MemoryMarshal.AsBytes<ushort>(halves), singles);
        Assert.Equal(doubles, singles.Select(x => (double)x));
        TensorConversion.FromDouble(TensorType.F16, doubles, back);
        var same = MemoryMarshal.Cast<byte, ushort>(back).ToArray().Zip(halves).Where(p => !Half.IsNaN(BitConverter.UInt16BitsToHalf(p.Second)));
        Assert.All(same, p => Assert.Equal(p.Second, p.First));

        var (f32, f64) = (new double[2], new float[2]);
        TensorConversion.ToDouble(TensorType.F32, MemoryMarshal.AsBytes<float>([0.1f, float.MaxValue]), f32);
        Assert.Equal([0.1f, float.MaxValue], f32);
        TensorConversion.ToSingle(TensorType.F64, MemoryMarshal.AsBytes<double>([0.1, -2]), f64);
        Assert.Equal([0.1f, -2f], f64);
    }

    [Fact]
    public void Only_factor_types_convert_and_lengths_must_agree()
    {
        Assert.Throws<ArgumentException>(() => TensorConversion.ToDouble(TensorType.F8_E4M3, new byte[1], new double[1]));
        Assert.Throws<ArgumentException>(() => TensorConversion.FromDouble(TensorType.F32, [1.0], new byte[3]));
    }
}

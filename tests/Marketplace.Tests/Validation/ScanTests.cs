using System.Runtime.InteropServices;
using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Validation;
using Xunit;

namespace Marketplace.Tests.Validation;

/// <summary>The vectorised look at the numbers against a plain one, and the one-pass reader against reading twice.</summary>
public sealed class ScanTests
{
    private static Gen<double> GenNumber { get; } = Gen.Frequency(
        (20, Gen.Double[-100, 100]), (5, Gen.Const(0.0)), (1, Gen.Const(-0.0)), (1, Gen.Const(double.NaN)), (1, Gen.Const(double.NegativeInfinity)), (1, Gen.Const(1e-40)));

    private static Gen<(TensorType Type, double[] Values)> GenTensor { get; } =
        Gen.Select(Gen.OneOf([.. new[] { TensorType.F64, TensorType.F32, TensorType.F16, TensorType.BF16, TensorType.U8 }.Select(t => Gen.Const(t))]), GenNumber.Array[0, 200]);

    [Fact]
    public void The_scan_finds_what_a_plain_loop_finds_in_pieces_of_any_size() =>
        Gen.Select(GenTensor.Array[1, 5], Gen.Int[1, 300]).Sample((tensors, step) =>
        {
            using var stream = new MemoryStream();
            SafetensorsWriter.Write(stream, tensors.Select((t, i) => t.Type.IsFactorType()
                ? TensorSource.FromDoubles($"t{i}", t.Type, [t.Values.Length], () => t.Values)
                : new TensorSource($"t{i}", t.Type, [t.Values.Length], () => new byte[t.Values.Length])));
            using var file = SafetensorsFile.Read(stream.ToArray());
            var scanner = new TensorScanner(file.Header);
            var data = stream.ToArray().AsSpan((int)file.Header.DataStart);
            for (var i = 0; i < data.Length; i += step)
                scanner.Feed(data.Slice(i, Math.Min(step, data.Length - i)));
            scanner.Feed([]);

            var floating = file.Tensors.Where(t => t.Type.IsFactorType()).ToList();
            Assert.Equal(floating.Select(t => t.Name).Order(), scanner.Scans.Keys.Order());
            foreach (var tensor in floating)
            {
                var values = file.ReadDouble(tensor);
                var scan = scanner.Scans[tensor.Name];
                Assert.Equal(values.Count(v => !double.IsFinite(v)), scan.NonFinite);
                if (scan.NonFinite == 0)
                    Assert.Equal(values.Select(Math.Abs).DefaultIfEmpty().Max(), scan.MaxAbs);
                Assert.Equal(values.All(v => v == 0), scan.IsZero);
            }
        }, iter: 500);

    [Fact]
    public void Elements_that_lie_across_pieces_and_begin_anywhere_are_seen()
    {
        // A byte before the floats shifts them all; pieces of one byte split every one.
        byte[] data = [7, .. MemoryMarshal.AsBytes<float>([1, float.NaN, -3])];
        var header = SafetensorsHeader.Parse(Support.SafetensorsBytes.File(
            System.Text.Encoding.UTF8.GetBytes($"{{{Support.SafetensorsBytes.Entry("u", "U8", "1", 0, 1)},{Support.SafetensorsBytes.Entry("f", "F32", "3", 1, 13)}}}"), data)).Header!;
        var scanner = new TensorScanner(header);
        foreach (var value in data)
            scanner.Feed([value]);
        Assert.Equal(1, scanner.Scans["f"].NonFinite);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(300_000)]
    [InlineData(3_000_001)]
    public void One_pass_hashes_all_bytes_once(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        foreach (var git in new[] { false, true })
        {
            using var reader = new HashingReader(new MemoryStream(bytes), length, git);
            var start = new byte[Math.Min(length, 40)];
            reader.ReadExactly(start);
            var seen = new MemoryStream();
            seen.Write(start);
            var (digest, sha1) = reader.Finish(new byte[1 << 20], (piece, count) => seen.Write(piece, 0, count));
            Assert.Equal(bytes, seen.ToArray());
            Assert.Equal(Digest.Of(bytes), digest);
            Assert.Equal(git ? GitBlobHash.Of(bytes) : null, sha1);
        }
    }
}

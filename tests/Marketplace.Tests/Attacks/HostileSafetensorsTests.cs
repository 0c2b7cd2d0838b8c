using System.Text;
using CsCheck;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;
using Xunit;
using static Marketplace.Tests.Support.SafetensorsBytes;

namespace Marketplace.Tests.Attacks;

/// <summary>Files made to harm whoever reads them, not to be read.</summary>
public sealed class HostileSafetensorsTests
{
    private static readonly string Valid = $"{{{Entry("a", "F32", "2", 0, 8)}}}";

    [Fact]
    public void A_zip_hidden_behind_the_tensors_is_refused()
    {
        // Zip readers look at the end of a file, safetensors readers at its start.
        byte[] file = [.. File(Valid, 8), .. "PK\x05\x06"u8, .. new byte[18]];
        Assert.Equal(SafetensorsError.TrailingBytes, Assert.Single(SafetensorsHeader.Parse(file).Problems).Error);
    }

    [Fact]
    public void A_file_hidden_between_the_tensors_is_refused()
    {
        var file = File($"{{{Entry("a", "F32", "2", 0, 8)},{Entry("b", "F32", "2", 1000, 1008)}}}", 1008);
        Assert.Equal(SafetensorsError.Hole, Assert.Single(SafetensorsHeader.Parse(file).Problems).Error);
    }

    [Fact]
    public void A_header_bomb_costs_no_memory()
    {
        byte[] file = [.. BitConverter.GetBytes(0x7FFF_FFFF_FFFF_FFFF), .. "{"u8];
        var before = GC.GetAllocatedBytesForCurrentThread();
        var parse = SafetensorsHeader.Parse(new MemoryStream(file), file.Length);
        Assert.Equal(SafetensorsError.HeaderTooLarge, Assert.Single(parse.Problems).Error);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 64 << 10);
    }

    [Theory]
    [InlineData("{\"")] // one endless name
    [InlineData("{\"__metadata__\":{\"k\":\"")] // one endless value
    public void An_endless_string_ends_at_the_limit_not_at_the_end_of_the_header(string start)
    {
        const int Length = 90_000_000;
        using var stream = new RepeatingStream([.. BitConverter.GetBytes((long)Length), .. Encoding.ASCII.GetBytes(start)], (byte)'x');
        var before = GC.GetAllocatedBytesForCurrentThread();
        var parse = SafetensorsHeader.Parse(stream, Length + 8L);
        Assert.True(Assert.Single(parse.Problems).Error is SafetensorsError.NameTooLong or SafetensorsError.MetadataTooLarge);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 40 << 20);
        Assert.True(stream.Position < Length / 2);
    }

    [Fact]
    public void Deep_nesting_is_refused_without_descending()
    {
        foreach (var json in new[] { "{\"a\":" + new string('[', 1_000_000), "{\"a\":" + string.Concat(Enumerable.Repeat("{\"a\":", 200_000)) })
            Assert.Equal(SafetensorsError.InvalidEntry, Assert.Single(SafetensorsHeader.Parse(File(json)).Problems).Error);
    }

    [Fact]
    public void A_flood_of_faults_is_reported_up_to_a_bound()
    {
        var json = "{" + string.Join(',', Enumerable.Range(0, 5000).Select(i => Entry($"t{i}", "X", "1", 0, 0))) + "}";
        Assert.Equal(100, SafetensorsHeader.Parse(File(json)).Problems.Length);
    }

    [Fact]
    public void Duplicate_names_that_readers_resolve_differently_are_refused()
    {
        var json = $"{{{Entry("a", "F32", "2", 0, 8)},{Entry("a", "F32", "2", 8, 16)}}}";
        Assert.Equal(SafetensorsError.DuplicateKey, Assert.Single(SafetensorsHeader.Parse(File(json, 16)).Problems).Error);
    }

    [Fact]
    public void Sizes_that_wrap_around_are_refused()
    {
        // 2^33 * 2^31 floats are 2^66 bytes, which is 0 in 64 bits.
        foreach (var shape in new[] { "8589934592,2147483648", "9223372036854775807,9223372036854775807,0" })
        {
            var parse = SafetensorsHeader.Parse(File($"{{{Entry("a", "F32", shape, 0, 0)}}}"));
            Assert.Equal(SafetensorsError.ShapeOverflow, Assert.Single(parse.Problems).Error);
        }
    }

    [Fact]
    public void Any_change_to_a_real_file_gives_a_valid_file_or_problems_never_an_exception()
    {
        var original = System.IO.File.ReadAllBytes(Path.Combine(Fixtures.Adapter("llama/plain"), "adapter_model.safetensors"));
        Gen.Select(Gen.Int[0, 1200], Gen.Byte, Gen.Int[0, original.Length]).Array[1, 4].Sample(changes =>
        {
            var file = original.ToArray();
            foreach (var (at, value, length) in changes)
            {
                file[at] = value;
                if (length % 7 == 0)
                    file = file[..Math.Clamp(length, 1201, file.Length)];
            }

            var whole = SafetensorsHeader.Parse(file);
            var streamed = SafetensorsHeader.Parse(new MemoryStream(file), file.Length);
            Assert.NotEqual(whole.Header is null, whole.Problems.IsEmpty);
            Assert.Equal(whole.Problems.Select(p => (p.Error, p.Tensor)), streamed.Problems.Select(p => (p.Error, p.Tensor)));
            if (whole.Header is { } header)
                Assert.Equal(file.Length, header.DataStart + header.Tensors.Sum(t => t.ByteLength));
        }, iter: 3000);
    }

    /// <summary>Some bytes, then one byte for ever.</summary>
    private sealed class RepeatingStream(byte[] start, byte rest) : Stream
    {
        public override long Position { get; set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count)
        {
            for (var i = 0; i < count; i++, Position++)
                buffer[offset + i] = Position < start.Length ? start[Position] : rest;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}

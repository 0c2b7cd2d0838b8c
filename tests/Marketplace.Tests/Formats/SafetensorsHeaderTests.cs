using Marketplace.Core.Formats;
using Xunit;
using static Marketplace.Tests.Support.SafetensorsBytes;

namespace Marketplace.Tests.Formats;

public sealed class SafetensorsHeaderTests
{
    private static readonly string A = Entry("a", "F32", "2", 0, 8);

    /// <summary>At least one file for each check: the errors it must give, and the tensor named.</summary>
    public static TheoryData<string, byte[], SafetensorsError, string?> Broken => new()
    {
        { "empty", [], SafetensorsError.TooShort, null },
        { "seven bytes", new byte[7], SafetensorsError.TooShort, null },
        { "header over 100 MB", [.. BitConverter.GetBytes(100_000_001L), .. "{}"u8], SafetensorsError.HeaderTooLarge, null },
        { "header of 2^64 - 1", [.. BitConverter.GetBytes(-1L), .. "{}"u8], SafetensorsError.HeaderTooLarge, null },
        { "header beyond the file", [.. BitConverter.GetBytes(3L), .. "{}"u8], SafetensorsError.HeaderBeyondFile, null },
        { "invalid UTF-8", File([.. "{\""u8, 0xC3, 0x28, .. "\":1}"u8], []), SafetensorsError.InvalidUtf8, null },
        { "half a character", File("""{"\ud800":1}"""), SafetensorsError.InvalidUtf8, null },
        { "empty header", File(""), SafetensorsError.InvalidStart, null },
        { "array", File("[]"), SafetensorsError.InvalidStart, null },
        { "leading space", File(" {}"), SafetensorsError.InvalidStart, null },
        { "unfinished", File("{\"a\":"), SafetensorsError.InvalidJson, null },
        { "two objects", File("{}{}"), SafetensorsError.InvalidJson, null },
        { "comment", File("{/**/}"), SafetensorsError.InvalidJson, null },
        { "tensor twice", File($"{{{A},{A}}}", 8), SafetensorsError.DuplicateKey, "a" },
        { "tensor twice, once escaped", File($"{{{A},{A.Replace("\"a\"", "\"\\u0061\"", StringComparison.Ordinal)}}}", 8), SafetensorsError.DuplicateKey, "a" },
        { "metadata twice", File("""{"__metadata__":{},"__metadata__":{}}"""), SafetensorsError.DuplicateKey, "__metadata__" },
        { "metadata key twice", File("""{"__metadata__":{"x":"1","x":"2"}}"""), SafetensorsError.DuplicateKey, null },
        { "member twice", File("""{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8), SafetensorsError.DuplicateKey, "a" },
        { "entry is a number", File("""{"a":1}"""), SafetensorsError.InvalidEntry, "a" },
        { "entry is null", File("""{"a":null}"""), SafetensorsError.InvalidEntry, "a" },
        { "unknown member", File("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}""", 8), SafetensorsError.InvalidEntry, "a" },
        { "no type", File("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", 8), SafetensorsError.InvalidEntry, "a" },
        { "no shape", File("""{"a":{"dtype":"F32","data_offsets":[0,4]}}""", 4), SafetensorsError.InvalidEntry, "a" },
        { "no offsets", File("""{"a":{"dtype":"F32","shape":[2]}}""", 8), SafetensorsError.InvalidEntry, "a" },
        { "type is a number", File("""{"a":{"dtype":32,"shape":[2],"data_offsets":[0,8]}}""", 8), SafetensorsError.InvalidEntry, "a" },
        { "shape is a number", File("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", 8), SafetensorsError.InvalidEntry, "a" },
        { "shape is nested", File("""{"a":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}}""", 8), SafetensorsError.InvalidEntry, "a" },
        { "metadata is a string", File("""{"__metadata__":"x"}"""), SafetensorsError.InvalidMetadata, null },
        { "metadata holds a number", File("""{"__metadata__":{"x":1}}"""), SafetensorsError.InvalidMetadata, null },
        { "metadata holds an object", File("""{"__metadata__":{"x":{}}}"""), SafetensorsError.InvalidMetadata, null },
        { "unknown type", File($"{{{Entry("a", "F33", "2", 0, 8)}}}", 8), SafetensorsError.UnknownType, "a" },
        { "lower-case type", File($"{{{Entry("a", "f32", "2", 0, 8)}}}", 8), SafetensorsError.UnknownType, "a" },
        { "negative dimension", File($"{{{Entry("a", "F32", "-2", 0, 8)}}}", 8), SafetensorsError.InvalidShape, "a" },
        { "fractional dimension", File($"{{{Entry("a", "F32", "2.0", 0, 8)}}}", 8), SafetensorsError.InvalidShape, "a" },
        { "dimension of 2^63", File($"{{{Entry("a", "F32", "9223372036854775808", 0, 8)}}}", 8), SafetensorsError.InvalidShape, "a" },
        { "dimension is a string", File($"{{{Entry("a", "F32", "\"2\"", 0, 8)}}}", 8), SafetensorsError.InvalidShape, "a" },
        { "product overflows", File($"{{{Entry("a", "F32", "4294967296,4294967296", 0, 8)}}}", 8), SafetensorsError.ShapeOverflow, "a" },
        { "bytes overflow", File($"{{{Entry("a", "F64", "4611686018427387904", 0, 8)}}}", 8), SafetensorsError.ShapeOverflow, "a" },
        { "product wraps to the right size", File($"{{{Entry("a", "U8", "4294967297,4294967296,4294967296", 0, 0)}}}"), SafetensorsError.ShapeOverflow, "a" },
        { "half a byte", File($"{{{Entry("a", "F4", "3", 0, 2)}}}", 2), SafetensorsError.MisalignedType, "a" },
        { "begin after end", File($"{{{Entry("a", "F32", "2", 8, 0)}}}", 8), SafetensorsError.InvalidOffsets, "a" },
        { "negative offset", File($"{{{Entry("a", "F32", "2", -8, 0)}}}", 8), SafetensorsError.InvalidOffsets, "a" },
        { "one offset", File("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8]}}""", 8), SafetensorsError.InvalidOffsets, "a" },
        { "three offsets", File("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}""", 8), SafetensorsError.InvalidOffsets, "a" },
        { "overlap", File($"{{{A},{Entry("b", "F32", "2", 4, 12)}}}", 12), SafetensorsError.Overlap, "b" },
        { "hole", File($"{{{A},{Entry("b", "F32", "2", 12, 20)}}}", 20), SafetensorsError.Hole, "b" },
        { "hole at the start", File($"{{{Entry("a", "F32", "2", 4, 12)}}}", 12), SafetensorsError.Hole, "a" },
        { "size is not shape", File($"{{{Entry("a", "F32", "3", 0, 8)}}}", 8), SafetensorsError.SizeMismatch, "a" },
        { "truncated", File($"{{{A}}}", 7), SafetensorsError.Truncated, "a" },
        { "trailing bytes", File($"{{{A}}}", 9), SafetensorsError.TrailingBytes, null },
        { "data without tensors", File("{}", 1), SafetensorsError.TrailingBytes, null },
        { "too many tensors", File("{" + string.Join(',', Enumerable.Range(0, 9).Select(i => Entry($"t{i}", "U8", "0", 0, 0))) + "}"), SafetensorsError.TooManyTensors, null },
        { "long name", File($"{{{Entry(new string('n', 33), "U8", "0", 0, 0)}}}"), SafetensorsError.NameTooLong, null },
        { "many dimensions", File($"{{{Entry("a", "U8", "1,1,1,1,1", 0, 1)}}}", 1), SafetensorsError.TooManyDimensions, "a" },
        { "long metadata", File($"{{\"__metadata__\":{{\"k\":\"{new string('v', 64)}\"}}}}"), SafetensorsError.MetadataTooLarge, null },
    };

    private static SafetensorsLimits Small { get; } = SafetensorsLimits.Default with { Tensors = 8, NameBytes = 32, Dimensions = 4, MetadataBytes = 64 };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Every_check_gives_its_own_error(string what, byte[] file, SafetensorsError error, string? tensor)
    {
        Assert.NotEmpty(what);
        foreach (var parse in new[] { SafetensorsHeader.Parse(file, Small), SafetensorsHeader.Parse(new TrickleStream(file), file.Length, Small) })
        {
            Assert.Null(parse.Header);
            var problem = Assert.Single(parse.Problems);
            Assert.Equal((error, tensor), (problem.Error, problem.Tensor));
            Assert.NotEmpty(problem.Message);
        }
    }

    [Fact]
    public void Every_error_has_a_file_that_gives_it() =>
        Assert.Equal(Enum.GetValues<SafetensorsError>(), Broken.Select(row => row.Data.Item3).Distinct().Order());

    [Fact]
    public void Findings_about_several_tensors_are_all_reported()
    {
        var file = File($"{{{Entry("a", "X1", "2", 0, 8)},{Entry("b", "F32", "-1", 8, 16)},{Entry("c", "F32", "3", 16, 24)},{A.Replace("\"a\"", "\"d\"", StringComparison.Ordinal)}}}", 30);
        var problems = SafetensorsHeader.Parse(file).Problems;
        Assert.Equal(
            [SafetensorsError.UnknownType, SafetensorsError.InvalidShape, SafetensorsError.SizeMismatch, SafetensorsError.Overlap, SafetensorsError.TrailingBytes],
            problems.Select(p => p.Error));
    }

    [Fact]
    public void Entries_may_come_in_any_order_and_are_sorted_by_their_data()
    {
        var file = File($"{{{Entry("z", "U8", "0", 8, 8)},{Entry("b", "I64", "", 0, 8)},{Entry("a", "BF16", "2,2", 8, 16)},\"__metadata__\":{{\"y\":\"2\",\"x\":\"é\\n\"}}}}    ", 16);
        var header = SafetensorsHeader.Parse(file).Header!;
        Assert.Equal(["b", "z", "a"], header.Tensors.Select(t => t.Name));
        Assert.Equal(new Dictionary<string, string> { ["x"] = "é\n", ["y"] = "2" }, header.Metadata);
        Assert.Equal(file.Length - 16, header.DataStart);
        Assert.Equal((TensorType.BF16, 8L, 16L, 4L, "[2, 2]"), header.Find("a") is { } a ? (a.Type, a.Begin, a.End, a.ElementCount, a.ShapeText) : default);
        Assert.True(header.Find("b")!.HasShape());
        Assert.Null(header.Find("c"));
    }

    [Fact]
    public void The_types_are_known_with_their_widths()
    {
        var widths = "BOOL8 F44 F6_E2M36 F6_E3M26 U88 I88 F8_E5M28 F8_E4M38 F8_E8M08 F8_E4M3FNUZ8 F8_E5M2FNUZ8 I1616 U1616 F1616 BF1616 I3232 U3232 F3232 C6464 F6464 I6464 U6464";
        Assert.Equal(widths, string.Join(' ', Enum.GetValues<TensorType>().Select(t => $"{t}{t.Bits()}")));
        foreach (var type in Enum.GetValues<TensorType>())
        {
            var parse = SafetensorsHeader.Parse(File($"{{{Entry("a", type.ToString(), "8", 0, type.Bits())}}}", type.Bits()));
            Assert.Equal(type, parse.Header?.Tensors.Single().Type);
        }

        Assert.False(TensorTypes.TryParse("0"u8, out _));
    }

    [Fact]
    public void A_stream_is_left_at_the_data_and_may_give_few_bytes_at_a_time()
    {
        // Larger than the reading buffer, with names at its edges and a long stretch of spaces.
        var entries = string.Join(',', Enumerable.Range(0, 3000).Select(i => Entry($"layer.{i}.é", "U8", "1", i, i + 1)));
        var file = File("{" + entries + new string(' ', 200_000) + "}" + new string(' ', 200_000), 3000);
        var stream = new TrickleStream(file);
        var parse = SafetensorsHeader.Parse(stream, file.Length);
        Assert.Empty(parse.Problems);
        Assert.Equal(3000, parse.Header!.Tensors.Length);
        Assert.Equal(parse.Header.DataStart, stream.Position);
        Assert.Equal(SafetensorsHeader.Parse(file).Header!.Tensors.Select(t => (t.Name, t.Begin)), parse.Header.Tensors.Select(t => (t.Name, t.Begin)));
    }

    [Fact]
    public void A_stream_that_ends_early_is_not_mistaken_for_a_file()
    {
        var file = File($"{{{A}}}", 8);
        Assert.Throws<EndOfStreamException>(() => SafetensorsHeader.Parse(new MemoryStream(file[..20]), file.Length));
    }

    /// <summary>Gives an odd handful of bytes at a time, as a network does, and can't seek.</summary>
    private sealed class TrickleStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, 1021)]);

        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, 1021));
    }
}

using System.Collections.Immutable;
using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Formats;

public sealed class SafetensorsWriterTests
{
    public static TheoryData<string> PythonFiles =>
        [.. Directory.GetFiles(Fixtures.Root, "*.safetensors", SearchOption.AllDirectories)
            .Where(f => Path.GetFileName(f) is "adapter_model.safetensors" or "model.safetensors")
            .Select(f => Path.GetRelativePath(Fixtures.Root, f)).Order(StringComparer.Ordinal)];

    private static Gen<(string Name, TensorType Type, long[] Shape, byte[] Data)> GenTensor { get; } =
        from name in Gen.String[1, 12].Where(n => !n.Any(char.IsSurrogate))
        from type in Gen.OneOf(Enum.GetValues<TensorType>().Where(t => t.Bits() % 8 == 0).Select(t => Gen.Const(t)).ToArray())
        from shape in Gen.Long[0, 5].Array[0, 3]
        from data in Gen.Byte.Array[(int)(shape.Aggregate(1L, (p, d) => p * d) * type.Bits() / 8)]
        select (name, type, shape, data);

    [Theory]
    [MemberData(nameof(PythonFiles))]
    public void Files_written_by_the_reference_library_are_written_again_byte_for_byte(string path)
    {
        var original = File.ReadAllBytes(Path.Combine(Fixtures.Root, path));
        using var file = SafetensorsFile.Read(original);
        Assert.Equal(original, Write(Sources(file), file.Header.Metadata));
    }

    [Fact]
    public void Whatever_is_written_is_read_back_and_written_again_the_same() =>
        Gen.Select(GenTensor.Array[0, 8], Gen.Dictionary(Gen.String.AlphaNumeric, Gen.String.Where(s => !s.Any(char.IsSurrogate)))[0, 3]).Sample((tensors, metadata) =>
        {
            var unique = tensors.DistinctBy(t => t.Name).ToArray();
            var bytes = Write(unique.Select(t => new TensorSource(t.Name, t.Type, [.. t.Shape], () => t.Data)), metadata);
            using var file = SafetensorsFile.Read(bytes);
            Assert.Equal(0, file.Header.DataStart % 8);
            Assert.Equal(metadata.OrderBy(m => m.Key, StringComparer.Ordinal), file.Header.Metadata.OrderBy(m => m.Key, StringComparer.Ordinal));
            Assert.Equal(unique.Length, file.Tensors.Length);
            foreach (var (name, type, shape, data) in unique)
            {
                var info = file.Find(name)!;
                Assert.Equal((type, true), (info.Type, info.HasShape(shape)));
                Assert.True(file.Bytes(info).SequenceEqual(data));
            }

            Assert.Equal(bytes, Write(Sources(file).Reverse(), file.Header.Metadata));
        }, iter: 300);

    [Fact]
    public void Wide_types_come_first_then_names_in_byte_order()
    {
        TensorSource Empty(string name, TensorType type) => new(name, type, [0], () => Array.Empty<byte>());
        using var file = SafetensorsFile.Read(Write(
            [Empty("b", TensorType.F16), Empty("\U0001F600", TensorType.F32), Empty("\uFFFD", TensorType.F32), Empty("a", TensorType.BF16), Empty("c", TensorType.F64)]));
        Assert.Equal(["c", "\uFFFD", "\U0001F600", "a", "b"], HeaderOrder(file));
        Assert.Equal("pt", file.Header.Metadata["format"]);
    }

    [Fact]
    public void Impossible_tensors_are_refused()
    {
        TensorSource Tensor(string name, TensorType type, long[] shape, int bytes) => new(name, type, [.. shape], () => new byte[bytes]);
        Assert.Throws<ArgumentException>(() => Write([Tensor("a", TensorType.U8, [1], 1), Tensor("a", TensorType.U8, [1], 1)]));
        Assert.Throws<ArgumentException>(() => Write([Tensor("__metadata__", TensorType.U8, [1], 1)]));
        Assert.Throws<ArgumentException>(() => Write([Tensor("a", TensorType.U8, [2], 1)]));
        Assert.Throws<ArgumentException>(() => Write([Tensor("a", TensorType.U8, [-1], 1)]));
        Assert.Throws<ArgumentException>(() => Write([Tensor("a", TensorType.F4, [1], 1)]));
        Assert.Throws<OverflowException>(() => Write([Tensor("a", TensorType.F64, [long.MaxValue, 2], 1)]));
    }

    [Fact]
    public void A_saved_file_is_whole_or_absent()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "x.safetensors");
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Save(path, [new("a", TensorType.U8, [2], () => new byte[1])]));
        Assert.Empty(Directory.GetFiles(folder.Path));
        SafetensorsWriter.Save(path, [TensorSource.FromMatrix("a", TensorType.F32, new Matrix(1, 2, [1, 2]))]);
        SafetensorsWriter.Save(path, [TensorSource.FromMatrix("a", TensorType.F32, new Matrix(2, 1, [3, 4]))]);
        Assert.Equal([path], Directory.GetFiles(folder.Path));
        using var file = SafetensorsFile.Open(path);
        Assert.Equal([3f, 4f], file.View<float>(file.Find("a")!).ToArray());
    }

    private static byte[] Write(IEnumerable<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, metadata);
        return stream.ToArray();
    }

    private static IEnumerable<TensorSource> Sources(SafetensorsFile file) =>
        file.Tensors.Select(t => new TensorSource(t.Name, t.Type, t.Shape, () => file.Bytes(t).ToArray()));

    // All tensors are empty there, so only the text of the header tells their order.
    private static IEnumerable<string> HeaderOrder(SafetensorsFile file)
    {
        var bytes = Write(Sources(file), file.Header.Metadata);
        var json = System.Text.Encoding.UTF8.GetString(bytes.AsSpan(8));
        return file.Tensors.Select(t => t.Name).OrderBy(n => json.IndexOf($"\"{n}\":{{", StringComparison.Ordinal));
    }
}

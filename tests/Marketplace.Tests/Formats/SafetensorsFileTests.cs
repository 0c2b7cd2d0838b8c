using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Formats;

public sealed class SafetensorsFileTests
{
    private static readonly string Path = System.IO.Path.Combine(Fixtures.Adapter("llama/bf16"), "adapter_model.safetensors");

    [Fact]
    public void A_mapped_file_and_bytes_in_memory_read_alike()
    {
        using var mapped = SafetensorsFile.Open(Path);
        using var memory = SafetensorsFile.Read(File.ReadAllBytes(Path));
        Assert.NotEmpty(mapped.Tensors);
        foreach (var tensor in mapped.Tensors)
        {
            Assert.Equal(TensorType.BF16, tensor.Type);
            Assert.True(mapped.Bytes(tensor).SequenceEqual(memory.Bytes(memory.Find(tensor.Name)!)));
            Assert.Equal(mapped.ReadDouble(tensor), memory.ReadSingle(tensor).Select(x => (double)x));
        }
    }

    [Fact]
    public void Views_borrow_the_bytes_they_were_given()
    {
        var bytes = SafetensorsBytes.File($"{{{SafetensorsBytes.Entry("a", "F32", "2", 0, 8)}}}", 8);
        using var file = SafetensorsFile.Read(bytes);
        var view = file.View<float>(file.Find("a")!);
        Assert.Equal(0f, view[1]);
        BitConverter.TryWriteBytes(bytes.AsSpan(^4), 2.5f);
        Assert.Equal(2.5f, view[1]);
        Assert.Equal(4, file.Bytes(file.Find("a")!, 4, 4).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Bytes(file.Find("a")!, 4, 5).Length);
        Assert.Throws<ArgumentException>(() => file.View<double>(file.Find("a")!).Length);
    }

    [Fact]
    public void A_disposed_file_gives_nothing()
    {
        var file = SafetensorsFile.Open(Path);
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Bytes(file.Tensors[0]).Length);
    }

    [Fact]
    public void A_file_that_is_not_safetensors_is_refused_with_its_problems()
    {
        using var folder = new TemporaryFolder();
        var path = System.IO.Path.Combine(folder.Path, "x");
        File.WriteAllBytes(path, []);
        Assert.False(SafetensorsFile.TryOpen(path, out _, out var problems));
        Assert.Equal(SafetensorsError.TooShort, Assert.Single(problems).Error);
        Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path));
        Assert.Throws<InvalidDataException>(() => SafetensorsFile.Read("x"u8.ToArray()));
    }

    [Fact]
    public void Integers_are_carried_but_are_no_factors()
    {
        using var file = SafetensorsFile.Read(SafetensorsBytes.File($"{{{SafetensorsBytes.Entry("a", "I64", "1", 0, 8)}}}", 8));
        Assert.Equal(8, file.Bytes(file.Tensors[0]).Length);
        Assert.Throws<ArgumentException>(() => file.ReadDouble(file.Tensors[0]));
    }
}

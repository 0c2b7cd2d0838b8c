using System.Runtime.InteropServices;
using System.Text;
using Marketplace.Core;
using Marketplace.Tests.Support;

namespace Marketplace.Tests.Cli;

/// <summary>A valid adapter of 64 MiB, which takes a while to send.</summary>
internal static class BigAdapter
{
    private const int Layers = 32;
    private const int Rank = 64;
    private const int Width = 4096;

    public static async Task Write(string folder)
    {
        Directory.CreateDirectory(folder);
        var config = await File.ReadAllTextAsync(Path.Combine(Fixtures.Repository, "samples", "library", "sort", RepositoryPath.Config));
        config = config.Replace("\"r\": 8", $"\"r\": {Rank}", StringComparison.Ordinal);
        foreach (var other in new[] { "k_proj", "v_proj", "o_proj" })
            config = config.Replace($"\"{other}\",", "", StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(folder, RepositoryPath.Config), config);

        const int Bytes = Rank * Width * sizeof(float);
        var entries = new List<string>();
        for (var i = 0; i < 2 * Layers; i++)
        {
            var (factor, shape) = i % 2 == 0 ? ("A", $"{Rank},{Width}") : ("B", $"{Width},{Rank}");
            var name = $"base_model.model.model.layers.{i / 2:00}.self_attn.q_proj.lora_{factor}.weight";
            entries.Add(SafetensorsBytes.Entry(name, "F32", shape, (long)i * Bytes, (long)(i + 1) * Bytes));
        }

        var header = Encoding.UTF8.GetBytes("{" + string.Join(',', entries) + "}");
        await using var file = File.Create(Path.Combine(folder, RepositoryPath.Weights));
        await file.WriteAsync(BitConverter.GetBytes((long)header.Length));
        await file.WriteAsync(header);
        var random = new Random(7);
        var values = new float[Rank * Width];
        for (var i = 0; i < 2 * Layers; i++)
        {
            for (var j = 0; j < values.Length; j++)
                values[j] = (random.NextSingle() - 0.5f) / 8;
            await file.WriteAsync(MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
        }
    }
}

using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Marketplace.Core.Formats;

/// <summary><c>model.safetensors.index.json</c>: which shard holds which tensor.</summary>
internal static class WeightsIndex
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "model.safetensors.index.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, IndentSize = 2, NewLine = "\n" };

    /// <summary>Reads the map from tensors to files; null with the reason if it is not one. Files must lie in the index's own folder.</summary>
    public static ImmutableSortedDictionary<string, string>? Parse(ReadOnlyMemory<byte> json, out string? reason)
    {
        reason = null;
        var map = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("weight_map", out var entries)
                || entries.ValueKind != JsonValueKind.Object)
            {
                reason = "It has no object 'weight_map'.";
                return null;
            }

            foreach (var entry in entries.EnumerateObject())
            {
                var file = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : "";
                if (!IsPlainName(file))
                    reason = $"'{entry.Name}' is not mapped to the name of a file beside the index.";
                else if (!map.TryAdd(entry.Name, file))
                    reason = $"'{entry.Name}' occurs twice.";
                if (reason is not null)
                    return null;
            }
        }
        catch (JsonException e)
        {
            reason = e.Message;
            return null;
        }

        return map.ToImmutable();
    }

    /// <summary>The file's bytes, as transformers writes them.</summary>
    /// <param name="files">Which tensor lies in which file.</param>
    /// <param name="totalBytes">Bytes of all tensors together.</param>
    public static byte[] Write(IEnumerable<(string Tensor, string File)> files, long totalBytes) =>
    [
        .. JsonSerializer.SerializeToUtf8Bytes(
            new JsonObject
            {
                ["metadata"] = new JsonObject { ["total_size"] = totalBytes },
                ["weight_map"] = new JsonObject(files.OrderBy(f => f.Tensor, StringComparer.Ordinal).Select(f => KeyValuePair.Create(f.Tensor, (JsonNode?)f.File))),
            },
            Indented),
        (byte)'\n',
    ];

    /// <summary>Whether a text is the name of a safetensors file, without a folder.</summary>
    public static bool IsPlainName(string file) =>
        file.EndsWith(".safetensors", StringComparison.Ordinal) && file[0] != '.' && !file.AsSpan().ContainsAny("/\\:") && !file.Any(char.IsControl);
}

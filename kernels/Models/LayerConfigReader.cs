using System.Text.Json;
using Marketplace.Core.Formats;

namespace Marketplace.Kernels.Models;

/// <summary>
/// Windows and rotary embeddings of each layer. Newer files say <c>layer_types</c> and <c>rope_parameters</c>, older ones <c>rope_theta</c>, <c>rope_scaling</c> and rules by the
/// layer's number; where a file has both, the newer counts.
/// </summary>
internal sealed class LayerConfigReader(JsonElement root, string modelType, int headSize, List<WeightsProblem> found)
{
    private const string Sliding = "sliding_attention";
    private const string Full = "full_attention";

    private readonly Dictionary<string, RotaryConfig?> rotary = new(StringComparer.Ordinal);

    public LayerConfig Read(int layer)
    {
        var type = TypeOf(layer);
        if (!rotary.TryGetValue(type, out var turning))
            rotary[type] = turning = modelType == "gpt2" ? null : Rotary(type);
        return new(type == Sliding ? Whole(root, "sliding_window") : null, turning);
    }

    private string TypeOf(int layer)
    {
        if (root.TryGetProperty("layer_types", out var types) && types.ValueKind == JsonValueKind.Array)
        {
            var type = layer < types.GetArrayLength() ? types[layer].ToString() : "";
            if (type is not (Sliding or Full))
                Unsupported("layer_types", $"says '{type}' of layer {layer}");
            return type == Sliding && Whole(root, "sliding_window") is not null ? Sliding : Full;
        }

        if (Whole(root, "sliding_window") is null)
            return Full;
        return modelType switch
        {
            "gemma3_text" => (layer + 1) % (Whole(root, "sliding_window_pattern") ?? Whole(root, "_sliding_window_pattern") ?? 6) == 0 ? Full : Sliding,
            "qwen2" or "qwen3" => Flag("use_sliding_window") == true && layer >= (Whole(root, "max_window_layers") ?? 0) ? Sliding : Full,
            "mistral" or "phi3" => Sliding,
            _ => Full,
        };
    }

    private RotaryConfig Rotary(string layerType)
    {
        var parameters = Member(root, "rope_parameters") is { } current ? Member(current, layerType) ?? current : (JsonElement?)null;
        var scaling = parameters ?? Member(root, "rope_scaling");
        var isLocal = layerType == Sliding && modelType == "gemma3_text";
        var theta = (parameters is { } p ? Number(p, "rope_theta") : null)
            ?? (isLocal ? Number(root, "rope_local_base_freq") ?? 10_000 : Number(root, "rope_theta"))
            ?? (modelType == "gemma3_text" ? 1_000_000 : 10_000);
        var share = (parameters is { } q ? Number(q, "partial_rotary_factor") : null) ?? Number(root, "partial_rotary_factor") ?? 1;
        var dimensions = (int)(headSize * share);
        if (dimensions is <= 0 || dimensions % 2 != 0)
            Unsupported("partial_rotary_factor", $"turns {dimensions} of {headSize} numbers of a head");
        var plain = new RotaryConfig(theta, dimensions);
        // The scaling of older files of this model is that of its global layers.
        if (scaling is not { } s || (parameters is null && isLocal))
            return plain;
        var type = Text(s, "rope_type") ?? Text(s, "type") ?? "default";
        switch (type)
        {
            case "default":
                return plain;
            case "linear":
                return plain with { Divisor = Number(s, "factor") ?? 1 };
            case "llama3":
                return plain with
                {
                    Stretch = new(
                        Number(s, "factor") ?? 8, Number(s, "low_freq_factor") ?? 1, Number(s, "high_freq_factor") ?? 4,
                        Whole(s, "original_max_position_embeddings") ?? 8192),
                };
            default:
                Unsupported("rope_type", $"is '{type}'; known are default, linear and llama3");
                return plain;
        }
    }

    private void Unsupported(string member, string why)
    {
        var problem = new WeightsProblem(WeightsProblem.ConfigUnsupported, $"'{member}' {why}.", member, "config.json");
        if (!found.Contains(problem))
            found.Add(problem);
    }

    private bool? Flag(string member) =>
        root.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;

    private static JsonElement? Member(JsonElement parent, string member) =>
        parent.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.Object ? value : null;

    private static string? Text(JsonElement parent, string member) =>
        parent.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static double? Number(JsonElement parent, string member) =>
        parent.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;

    private static int? Whole(JsonElement parent, string member) =>
        parent.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number > 0 ? number : null;
}

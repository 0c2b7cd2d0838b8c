using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Marketplace.Core.Formats;

namespace Marketplace.Kernels.Models;

/// <summary>Reads config.json. What would make the decoder compute something else than the model does is a problem, never passed over.</summary>
internal sealed class ModelConfigParser
{
    private const string File = "config.json";

    // Members that switch on what the decoder lacks, with the value that leaves it off.
    private static readonly ImmutableArray<(string Member, bool Off)> Switches =
    [
        ("qk_layernorm", false), ("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false), ("add_cross_attention", false),
        ("use_bidirectional_attention", false),
    ];

    private readonly JsonElement root;
    private readonly List<WeightsProblem> found = [];

    private ModelConfigParser(JsonElement root) => this.root = root;

    public static bool TryParse(ReadOnlyMemory<byte> json, [NotNullWhen(true)] out ModelConfig? config, out ImmutableArray<WeightsProblem> problems)
    {
        config = null;
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                problems = [new(WeightsProblem.ConfigInvalid, "config.json is no JSON object.", File: File)];
                return false;
            }

            var parser = new ModelConfigParser(document.RootElement);
            config = parser.Read();
            problems = [.. parser.found];
            if (!problems.IsEmpty)
                config = null;
            return config is not null;
        }
        catch (JsonException e)
        {
            problems = [new(WeightsProblem.ConfigInvalid, $"config.json is no JSON. {e.Message}", File: File)];
            return false;
        }
    }

    private ModelConfig? Read()
    {
        var type = Text("model_type") ?? "";
        if (DecoderLayout.Find(type) is null)
        {
            found.Add(new(
                WeightsProblem.ArchitectureUnknown,
                $"Models of type '{type}' can't be computed. Known are {string.Join(", ", DecoderLayout.Known.Order(StringComparer.Ordinal))}.", File: File));
            return null;
        }

        foreach (var (member, off) in Switches)
        {
            if (Flag(member) is { } value && value != off)
                Unsupported(member, "is not computed");
        }

        if (Number("attn_logit_softcapping") is not null)
            Unsupported("attn_logit_softcapping", "is not computed");
        var (hidden, heads, layers) = (Whole("hidden_size", "n_embd"), Whole("num_attention_heads", "n_head"), Whole("num_hidden_layers", "n_layer"));
        if (found.Count > 0)
            return null;
        var headSize = Optional("head_dim") ?? hidden / heads;
        var keyValueHeads = Optional("num_key_value_heads") ?? heads;
        if (heads % keyValueHeads != 0)
            Invalid("num_key_value_heads", "does not divide the number of heads");
        var activation = ReadActivation();
        var config = new ModelConfig(
            type, Whole("vocab_size"), hidden, heads, keyValueHeads, headSize,
            Optional("intermediate_size") ?? Optional("n_inner") ?? 4 * hidden, Whole("max_position_embeddings", "n_positions"),
            Number("rms_norm_eps") ?? Number("layer_norm_eps") ?? Number("layer_norm_epsilon") ?? 1e-6, activation,
            Flag("tie_word_embeddings") ?? type is "gpt2" or "gemma3_text",
            1 / Math.Sqrt(Number("query_pre_attn_scalar") ?? headSize), type == "gemma3_text" ? (float)Math.Sqrt(hidden) : 1,
            Number("final_logit_softcapping"), []);
        var reader = new LayerConfigReader(root, type, headSize, found);
        return config with { Layers = [.. Enumerable.Range(0, layers).Select(reader.Read)] };
    }

    private Activation ReadActivation()
    {
        var name = Text("hidden_activation") ?? Text("hidden_act") ?? Text("activation_function");
        switch (name)
        {
            case "silu" or "swish":
                return Activation.Silu;
            case "gelu":
                return Activation.Gelu;
            case "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast":
                return Activation.GeluTanh;
            case "relu":
                return Activation.Relu;
            default:
                found.Add(new(WeightsProblem.ConfigUnsupported, $"The activation '{name}' is not known.", "hidden_act", File));
                return default;
        }
    }

    private void Unsupported(string member, string why) => found.Add(new(WeightsProblem.ConfigUnsupported, $"'{member}' {why}.", member, File));

    private void Invalid(string member, string why) => found.Add(new(WeightsProblem.ConfigInvalid, $"'{member}' {why}.", member, File));

    private string? Text(string member) => root.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private bool? Flag(string member) =>
        root.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;

    private double? Number(string member) => root.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;

    private int? Optional(string member)
    {
        if (!root.TryGetProperty(member, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number > 0)
            return number;
        Invalid(member, "is no positive whole number");
        return null;
    }

    private int Whole(string member, string? older = null)
    {
        if ((Optional(member) ?? (older is null ? null : Optional(older))) is { } number)
            return number;
        if (found.Count == 0 || found[^1].Tensor != member)
            Invalid(member, "is missing");
        return 1;
    }
}

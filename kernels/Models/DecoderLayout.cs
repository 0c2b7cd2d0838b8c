using System.Collections.Immutable;

namespace Marketplace.Kernels.Models;

/// <summary>How activations are brought to one size.</summary>
internal enum NormKind
{
    /// <summary>x ∕ √(mean x² + ε) · w.</summary>
    Rms,

    /// <summary>The same with 1 + w.</summary>
    RmsPlusOne,

    /// <summary>(x − mean) ∕ √(variance + ε) · w + b.</summary>
    Layer,
}

/// <summary>
/// Where an architecture's parts lie and how they are put together: all that one decoder differs in from another, besides the sizes in its configuration. Names of modules in a layer are
/// relative to the layer. What may be there or not (biases, norms of queries and keys) is as the weights have it.
/// </summary>
internal sealed record DecoderLayout
{
    private static readonly DecoderLayout Llama = new();

    private static readonly ImmutableDictionary<string, DecoderLayout> Layouts = new Dictionary<string, DecoderLayout>
    {
        ["llama"] = Llama,
        ["mistral"] = Llama,
        ["qwen2"] = Llama,
        ["qwen3"] = Llama,
        ["gemma3_text"] = Llama with
        {
            Norm = NormKind.RmsPlusOne,
            AttentionOutputNorm = "post_attention_layernorm",
            FeedForwardNorm = "pre_feedforward_layernorm",
            FeedForwardOutputNorm = "post_feedforward_layernorm",
        },
        ["phi"] = Llama with
        {
            Norm = NormKind.Layer,
            FinalNorm = "model.final_layernorm",
            Output = "self_attn.dense",
            FeedForwardNorm = null,
            Gate = null,
            Up = "mlp.fc1",
            Down = "mlp.fc2",
        },
        ["phi3"] = Llama with { Packed = "self_attn.qkv_proj", Gate = null, Up = "mlp.gate_up_proj", UpHoldsGate = true },
        ["gpt2"] = new()
        {
            Embedding = "transformer.wte",
            Positions = "transformer.wpe",
            Layers = "transformer.h",
            FinalNorm = "transformer.ln_f",
            Norm = NormKind.Layer,
            AttentionNorm = "ln_1",
            Packed = "attn.c_attn",
            Output = "attn.c_proj",
            FeedForwardNorm = "ln_2",
            Gate = null,
            Up = "mlp.c_fc",
            Down = "mlp.c_proj",
        },
    }.ToImmutableDictionary(StringComparer.Ordinal);

    /// <summary>The values of <c>model_type</c> that there is a layout for.</summary>
    public static IEnumerable<string> Known => Layouts.Keys;

    /// <summary>The table of embeddings.</summary>
    public string Embedding { get; init; } = "model.embed_tokens";

    /// <summary>The table of learned positions; null where positions are rotary.</summary>
    public string? Positions { get; init; }

    /// <summary>What the layers' names begin with.</summary>
    public string Layers { get; init; } = "model.layers";

    /// <summary>The norm after the last layer.</summary>
    public string FinalNorm { get; init; } = "model.norm";

    /// <summary>The head.</summary>
    public string Head { get; init; } = "lm_head";

    /// <summary>How norms are computed.</summary>
    public NormKind Norm { get; init; }

    /// <summary>The norm before attention.</summary>
    public string AttentionNorm { get; init; } = "input_layernorm";

    /// <summary>Queries, keys and values as one layer; null where they are three.</summary>
    public string? Packed { get; init; }

    /// <summary>Queries, keys and values.</summary>
    public (string Query, string Key, string Value) Attention { get; init; } = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj");

    /// <summary>Norms of queries and keys within each head, where the weights have them.</summary>
    public (string Query, string Key) HeadNorms { get; init; } = ("self_attn.q_norm", "self_attn.k_norm");

    /// <summary>The layer after attention.</summary>
    public string Output { get; init; } = "self_attn.o_proj";

    /// <summary>A norm of what attention gives, before it is added; null for none.</summary>
    public string? AttentionOutputNorm { get; init; }

    /// <summary>The norm before the feed-forward part; null where that runs beside attention, on the same input.</summary>
    public string? FeedForwardNorm { get; init; } = "post_attention_layernorm";

    /// <summary>The gate of the feed-forward part; null where it has none, or <see cref="Up"/> holds it.</summary>
    public string? Gate { get; init; } = "mlp.gate_proj";

    /// <summary>The first layer of the feed-forward part.</summary>
    public string Up { get; init; } = "mlp.up_proj";

    /// <summary>Whether the first half of <see cref="Up"/> is the gate.</summary>
    public bool UpHoldsGate { get; init; }

    /// <summary>The last layer of the feed-forward part.</summary>
    public string Down { get; init; } = "mlp.down_proj";

    /// <summary>A norm of what the feed-forward part gives, before it is added; null for none.</summary>
    public string? FeedForwardOutputNorm { get; init; }

    /// <summary>The layout of models of a type, or null.</summary>
    public static DecoderLayout? Find(string modelType) => Layouts.GetValueOrDefault(modelType);
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Core.Formats;

namespace Marketplace.Kernels.Models;

/// <summary>The non-linearity of the feed-forward part.</summary>
public enum Activation
{
    /// <summary>x·σ(x).</summary>
    Silu,

    /// <summary>x·Φ(x).</summary>
    Gelu,

    /// <summary>The approximation of x·Φ(x) by tanh.</summary>
    GeluTanh,

    /// <summary>max(x, 0).</summary>
    Relu,
}

/// <summary>What differs from layer to layer.</summary>
/// <param name="Window">How many positions a position sees, itself included; null for all before it.</param>
/// <param name="Rotary">Its rotary embeddings; null where positions are learned.</param>
public sealed record LayerConfig(int? Window, RotaryConfig? Rotary);

/// <summary>The sizes and constants of a decoder, read from config.json in the spelling of any version of transformers.</summary>
/// <param name="ModelType">Such as <c>llama</c>.</param>
/// <param name="VocabularySize">Rows of the embedding table.</param>
/// <param name="HiddenSize">H, the width between layers.</param>
/// <param name="Heads">Heads of queries.</param>
/// <param name="KeyValueHeads">Heads of keys and values; a divisor of <paramref name="Heads"/>.</param>
/// <param name="HeadSize">D, the width of a head.</param>
/// <param name="IntermediateSize">Width inside the feed-forward part.</param>
/// <param name="MaxPositions">The longest sequence.</param>
/// <param name="NormEpsilon">ε of the norms.</param>
/// <param name="Activation">The non-linearity.</param>
/// <param name="TiesEmbeddings">Whether the head is the embedding table.</param>
/// <param name="AttentionScale">Multiplies ⟨q, k⟩.</param>
/// <param name="EmbeddingScale">Multiplies embeddings.</param>
/// <param name="LogitCap">c of c·tanh(z ∕ c) on logits; null for none.</param>
/// <param name="Layers">The layers.</param>
public sealed record ModelConfig(
    string ModelType, int VocabularySize, int HiddenSize, int Heads, int KeyValueHeads, int HeadSize, int IntermediateSize, int MaxPositions,
    double NormEpsilon, Activation Activation, bool TiesEmbeddings, double AttentionScale, double EmbeddingScale, double? LogitCap,
    ImmutableArray<LayerConfig> Layers)
{
    /// <summary>Reads a config.json; false with every problem found where the model is none that the decoder can be.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> json, [NotNullWhen(true)] out ModelConfig? config, out ImmutableArray<WeightsProblem> problems) =>
        ModelConfigParser.TryParse(json, out config, out problems);
}

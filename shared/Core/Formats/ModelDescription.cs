using System.Collections.Immutable;
using System.Text.Json;

namespace Marketplace.Core.Formats;

/// <summary>What config.json of a model says about its weights.</summary>
/// <param name="ModelType">Such as <c>llama</c>; null where absent.</param>
/// <param name="Architectures">Classes that the weights were saved from.</param>
/// <param name="TiesEmbeddings">Whether head and input embeddings are one tensor; null where the file leaves it to the model's type.</param>
public sealed record ModelDescription(string? ModelType, ImmutableArray<string> Architectures, bool? TiesEmbeddings)
{
    /// <summary>A model without config.json.</summary>
    public static ModelDescription Unknown { get; } = new(null, [], null);

    /// <summary>Whether the weights were saved from a model with a head, whose names begin with the name of the model inside.</summary>
    public bool HasHead => Architectures.Any(a => a.Contains("For", StringComparison.Ordinal) || a.Contains("LMHead", StringComparison.Ordinal));

    /// <summary>Parses the file's bytes; null if they are no JSON object.</summary>
    public static ModelDescription? Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return null;
            return new(
                root.TryGetProperty("model_type", out var type) && type.ValueKind == JsonValueKind.String ? type.GetString() : null,
                root.TryGetProperty("architectures", out var names) && names.ValueKind == JsonValueKind.Array
                    ? [.. names.EnumerateArray().Where(n => n.ValueKind == JsonValueKind.String).Select(n => n.GetString()!)]
                    : [],
                root.TryGetProperty("tie_word_embeddings", out var ties) && ties.ValueKind is JsonValueKind.True or JsonValueKind.False
                    ? ties.GetBoolean()
                    : null);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

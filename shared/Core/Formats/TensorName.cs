namespace Marketplace.Core.Formats;

/// <summary>What a tensor is to the module it belongs to.</summary>
public enum TensorPart
{
    /// <summary>Factor A of a linear layer or convolution: <c>lora_A.weight</c>.</summary>
    A,

    /// <summary>Factor B of a linear layer or convolution: <c>lora_B.weight</c>.</summary>
    B,

    /// <summary>Factor A of an embedding: <c>lora_embedding_A</c>.</summary>
    EmbeddingA,

    /// <summary>Factor B of an embedding: <c>lora_embedding_B</c>.</summary>
    EmbeddingB,

    /// <summary>Bias of factor B, added times the scaling: <c>lora_B.bias</c>.</summary>
    FactorBias,

    /// <summary>DoRA's vector of row norms: <c>lora_magnitude_vector</c>.</summary>
    Magnitude,

    /// <summary>A parameter of the model itself, saved whole.</summary>
    Parameter,

    /// <summary>Changed rows of an embedding: <c>trainable_tokens_delta</c>.</summary>
    TokenRows,

    /// <summary>None of these.</summary>
    Unknown,
}

/// <summary>A tensor's name, taken apart: <c>base_model.model.MODULE.PART</c>.</summary>
/// <param name="Module">Path of the module in the base model; for a parameter the module that holds it.</param>
/// <param name="Part">What the tensor is to the module.</param>
public readonly record struct TensorName(string Module, TensorPart Part)
{
    /// <summary>What PEFT puts before every name.</summary>
    public const string Prefix = "base_model.model.";

    private static readonly (string Suffix, TensorPart Part)[] Suffixes =
    [
        (".lora_A.weight", TensorPart.A),
        (".lora_B.weight", TensorPart.B),
        (".lora_embedding_A", TensorPart.EmbeddingA),
        (".lora_embedding_B", TensorPart.EmbeddingB),
        (".lora_B.bias", TensorPart.FactorBias),
        (".lora_magnitude_vector", TensorPart.Magnitude),
        (".lora_magnitude_vector.weight", TensorPart.Magnitude), // as older versions of PEFT wrote it
        (".trainable_tokens_delta", TensorPart.TokenRows),
    ];

    /// <summary>Takes a name apart.</summary>
    public static TensorName Parse(string name)
    {
        if (!name.StartsWith(Prefix, StringComparison.Ordinal) || name.Any(char.IsControl))
            return new("", TensorPart.Unknown);
        var rest = name[Prefix.Length..];
        foreach (var (suffix, part) in Suffixes)
        {
            if (rest.Length > suffix.Length && rest.EndsWith(suffix, StringComparison.Ordinal))
                return new(rest[..^suffix.Length], part);
        }

        var dot = rest.LastIndexOf('.');
        return dot <= 0 || rest.Split('.').Any(s => s.StartsWith("lora_", StringComparison.Ordinal))
            ? new("", TensorPart.Unknown)
            : new(rest[..dot], TensorPart.Parameter);
    }

    /// <summary>The full name of a part of a module, as PEFT writes it.</summary>
    public static string Of(string module, TensorPart part) =>
        Prefix + module + Suffixes.First(s => s.Part == part).Suffix;
}

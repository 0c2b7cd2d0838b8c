using System.Collections.Immutable;

namespace Marketplace.Core.Formats;

/// <summary>Why an adapter_config.json is refused.</summary>
public enum ConfigError
{
    /// <summary>The bytes are not a JSON object, or a member occurs twice.</summary>
    NotJson,

    /// <summary><c>peft_type</c> is not LORA, or absent.</summary>
    PeftTypeUnsupported,

    /// <summary>A member has a value that PEFT could not have written: a wrong type, a rank below 1.</summary>
    Invalid,

    /// <summary>A regular expression can't be read, or takes too long.</summary>
    InvalidPattern,

    /// <summary><c>init_lora_weights</c> names a method after which the factors are relative to a modified base.</summary>
    InitUnsupported,

    /// <summary>A variant of LoRA whose change of the weights is not s·B·A.</summary>
    VariantUnsupported,
}

/// <summary>One finding about a configuration.</summary>
/// <param name="Error">What is wrong.</param>
/// <param name="Path">JSON path of the member, such as <c>$.rank_pattern['q_proj']</c>.</param>
/// <param name="Message">What was found, for people.</param>
public sealed record ConfigProblem(ConfigError Error, string Path, string Message);

/// <summary>What parsing a configuration gave.</summary>
/// <param name="Config">The configuration; null if it is no LoRA configuration at all or a member is invalid.</param>
/// <param name="Problems">Every problem; the configuration may be used only if there are none.</param>
public sealed record AdapterConfigParse(AdapterConfig? Config, ImmutableArray<ConfigProblem> Problems);

using System.Collections.Immutable;
using System.Text.Json;

namespace Marketplace.Core.Formats;

/// <summary>Which biases of the base model were trained along; their values lie in the weights file and replace the base's.</summary>
public enum TrainedBias
{
    /// <summary>None.</summary>
    None,

    /// <summary>Every bias of the model.</summary>
    All,

    /// <summary>Those of the adapted modules.</summary>
    LoraOnly,
}

/// <summary>
/// adapter_config.json of a LoRA, with PEFT's defaults for what is absent. Every member that changes what the weights mean is a
/// property; everything else is kept in <see cref="Other"/> and written back.
/// </summary>
public sealed record AdapterConfig
{
    /// <summary>Name of the base model as the publisher spelled it; null where the file has none.</summary>
    public string? BaseModel { get; init; }

    /// <summary>Revision of the base model; null for its default.</summary>
    public string? Revision { get; init; }

    /// <summary>What the model does, such as <c>CAUSAL_LM</c>; null where not said.</summary>
    public string? TaskType { get; init; }

    /// <summary>r, the rank of modules that no <see cref="RankPattern"/> matches.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>alpha of modules that no <see cref="AlphaPattern"/> matches.</summary>
    public double Alpha { get; init; } = 8;

    /// <summary>Whether the scaling is alpha ∕ √r instead of alpha ∕ r.</summary>
    public bool UseRsLora { get; init; }

    /// <summary>Ranks by module; the first key that matches counts.</summary>
    public ImmutableArray<PatternValue<int>> RankPattern { get; init; } = [];

    /// <summary>Alphas by module; the first key that matches counts.</summary>
    public ImmutableArray<PatternValue<double>> AlphaPattern { get; init; } = [];

    /// <summary>The adapted modules; null where left to the base model's architecture.</summary>
    public ModuleSelector? TargetModules { get; init; }

    /// <summary>Modules left out although <see cref="TargetModules"/> matches them; null for none.</summary>
    public ModuleSelector? ExcludeModules { get; init; }

    /// <summary>Indices of the layers that are adapted; empty for all.</summary>
    public ImmutableArray<int> LayersToTransform { get; init; } = [];

    /// <summary>Names before the layer's index in a module's name, in Python's regular expressions; empty for any.</summary>
    public ImmutableArray<string> LayersPattern { get; init; } = [];

    /// <summary>Whether the adapted layers store their weight as (in, out), as GPT-2's Conv1D does. PEFT corrects a wrong flag, see <see cref="StoredWeight"/>.</summary>
    public bool FanInFanOut { get; init; }

    /// <summary>Which biases were trained along.</summary>
    public TrainedBias Bias { get; init; }

    /// <summary>Modules saved whole beside the LoRA, as full replacements.</summary>
    public ImmutableArray<string> ModulesToSave { get; init; } = [];

    /// <summary>Whether magnitude vectors belong to the modules (DoRA).</summary>
    public bool UseDora { get; init; }

    /// <summary>Whether <c>lora_B</c> has a bias, added times the scaling.</summary>
    public bool LoraBias { get; init; }

    /// <summary>How the factors were initialised: <c>true</c>, <c>false</c> or a name. All but these two and <c>gaussian</c> may have changed the base model.</summary>
    public string InitLoraWeights { get; init; } = "true";

    /// <summary>Parameters (rather than modules) that are adapted.</summary>
    public ImmutableArray<string> TargetParameters { get; init; } = [];

    /// <summary>Whether single rows of the embedding were trained along (<c>trainable_token_indices</c>).</summary>
    public bool HasTrainedTokens { get; init; }

    /// <summary>Whether the adapter acts only after certain tokens (activated LoRA).</summary>
    public bool IsActivatedByTokens { get; init; }

    /// <summary>Dropout during training; of no effect afterwards.</summary>
    public double Dropout { get; init; }

    /// <summary>Whether PEFT loads the adapter for inference.</summary>
    public bool InferenceMode { get; init; } = true;

    /// <summary>All other members of the file, known to PEFT or not, by their names.</summary>
    public ImmutableSortedDictionary<string, JsonElement> Other { get; init; } = ImmutableSortedDictionary.Create<string, JsonElement>(StringComparer.Ordinal);

    /// <summary>Parses the file's bytes.</summary>
    public static AdapterConfigParse Parse(ReadOnlyMemory<byte> json) => AdapterConfigParser.Parse(json);

    /// <summary>
    /// The file's bytes: members in ordinal order, indented by two, patterns in their own order. Equal configurations give equal bytes.
    /// Members that newer versions of PEFT brought appear only if they say something, since older versions fail on them.
    /// </summary>
    public byte[] ToJson() => AdapterConfigWriter.Write(this);
}

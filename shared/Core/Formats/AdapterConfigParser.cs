using System.Collections.Immutable;
using System.Text.Json;

namespace Marketplace.Core.Formats;

/// <summary>Reads adapter_config.json member by member, so that every fault is found and placed.</summary>
internal sealed class AdapterConfigParser
{
    private const int MaxProblems = 1000;
    private const int MaxPatterns = 10_000; // each is tried on each module
    private const int MaxNames = 1000;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    // Variants that change what the factors mean. A member of any other value than null, false, [] or {} is refused.
    private static readonly (string Key, string Reason)[] Variants =
    [
        ("use_qalora", "QA-LoRA pools the input of A"),
        ("use_bdlora", "block-diagonal LoRA has block-diagonal factors"),
        ("layer_replication", "the modules belong to a base model with repeated layers"),
        ("kasa_config", "KaSA puts singular values between the factors"),
        ("monteclora_config", "MonteCLoRA samples its factors"),
        ("velora_config", "VeLoRA compresses activations"),
        ("arrow_config", "an Arrow router is not one adapter"),
        ("target_parameters", "parameters that are not the weight of a module are adapted"),
        ("enable_lora", "the factors of a fused layer are grouped"),
    ];

    private readonly List<ConfigProblem> problems = [];
    private readonly Dictionary<string, JsonElement> members;

    private AdapterConfigParser(JsonElement root) =>
        members = root.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.Clone(), StringComparer.Ordinal);

    public static AdapterConfigParse Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new AdapterConfigParser(document.RootElement).Read()
                : NotJson("The file is JSON, but not an object.");
        }
        catch (JsonException e)
        {
            return NotJson($"The file is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.");
        }
    }

    private static AdapterConfigParse NotJson(string message) => new(null, [new(ConfigError.NotJson, "$", message)]);

    private AdapterConfigParse Read()
    {
        var peftType = Text("peft_type");
        if (peftType != "LORA")
        {
            var message = peftType is null ? "The configuration names no peft_type." : $"Adapters of the type {peftType} are not supported, only LORA.";
            return new(null, [new(ConfigError.PeftTypeUnsupported, "$.peft_type", message)]);
        }

        var config = new AdapterConfig
        {
            BaseModel = Text("base_model_name_or_path"),
            Revision = Text("revision"),
            TaskType = Text("task_type"),
            Rank = Rank("$.r", Take("r"), 8),
            Alpha = Number("$.lora_alpha", Take("lora_alpha"), 8),
            UseRsLora = Flag("use_rslora", false),
            RankPattern = Pattern("rank_pattern", (path, value) => Rank(path, value, 8)),
            AlphaPattern = Pattern("alpha_pattern", (path, value) => Number(path, value, 8)),
            TargetModules = Selector("target_modules"),
            ExcludeModules = Selector("exclude_modules"),
            LayersToTransform = Layers(),
            LayersPattern = TextOrList("layers_pattern"),
            FanInFanOut = Flag("fan_in_fan_out", false),
            Bias = Bias(),
            ModulesToSave = TextOrList("modules_to_save"),
            UseDora = Flag("use_dora", false),
            LoraBias = Flag("lora_bias", false),
            InitLoraWeights = Init(),
            TargetParameters = members.TryGetValue("target_parameters", out var parameters) ? Strings("$.target_parameters", parameters) : [],
            HasTrainedTokens = members.TryGetValue("trainable_token_indices", out var tokens) && !IsEmpty(tokens),
            IsActivatedByTokens = members.TryGetValue("alora_invocation_tokens", out var invocation) && !IsEmpty(invocation),
            Dropout = Number("$.lora_dropout", Take("lora_dropout"), 0),
            InferenceMode = Flag("inference_mode", false),
        };
        foreach (var (key, reason) in Variants)
        {
            if (members.TryGetValue(key, out var value) && !IsEmpty(value))
                problems.Add(new(ConfigError.VariantUnsupported, "$." + key, $"{key} is set: {reason}."));
        }

        config = config with { Other = members.ToImmutableSortedDictionary(StringComparer.Ordinal) };
        problems.AddRange(ModuleRules.Check(config));
        return new(problems.Any(p => p.Error == ConfigError.Invalid) ? null : config, [.. problems]);
    }

    /// <summary>Takes a member out of those that are left; undefined where absent or null.</summary>
    private JsonElement Take(string key) => members.Remove(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : default;

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False or JsonValueKind.Undefined => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };

    private T Invalid<T>(string path, string expected, T fallback)
    {
        if (problems.Count < MaxProblems)
            problems.Add(new(ConfigError.Invalid, path, $"{path} is not {expected}."));
        return fallback;
    }

    private string? Text(string key) => Take(key) switch
    {
        { ValueKind: JsonValueKind.Undefined } => null,
        { ValueKind: JsonValueKind.String } value when TryString(value, out var text) => text,
        _ => Invalid<string?>("$." + key, "a string", null),
    };

    private bool Flag(string key, bool absent) => Take(key) switch
    {
        { ValueKind: JsonValueKind.Undefined } => absent,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => Invalid("$." + key, "true or false", absent),
    };

    private int Rank(string path, JsonElement value, int absent) => value switch
    {
        { ValueKind: JsonValueKind.Undefined } => absent,
        { ValueKind: JsonValueKind.Number } when value.TryGetInt32(out var rank) && rank > 0 => rank,
        _ => Invalid(path, "a positive integer", absent),
    };

    private double Number(string path, JsonElement value, double absent) => value switch
    {
        { ValueKind: JsonValueKind.Undefined } => absent,
        { ValueKind: JsonValueKind.Number } when value.TryGetDouble(out var number) && double.IsFinite(number) => number,
        _ => Invalid(path, "a number", absent),
    };

    private ImmutableArray<PatternValue<T>> Pattern<T>(string key, Func<string, JsonElement, T> read) => Take(key) switch
    {
        { ValueKind: JsonValueKind.Undefined } => [],
        { ValueKind: JsonValueKind.Object } value when value.GetPropertyCount() <= MaxPatterns =>
            [.. value.EnumerateObject().Select(p => new PatternValue<T>(p.Name, read($"$.{key}['{p.Name}']", p.Value)))],
        _ => Invalid<ImmutableArray<PatternValue<T>>>("$." + key, $"an object of at most {MaxPatterns} members", []),
    };

    private ModuleSelector? Selector(string key)
    {
        var value = Take(key);
        return value.ValueKind switch
        {
            JsonValueKind.Undefined => null,
            JsonValueKind.String when TryString(value, out var text) => ModuleSelector.FromString(text),
            JsonValueKind.Array => ModuleSelector.List(Strings("$." + key, value)),
            _ => Invalid<ModuleSelector?>("$." + key, "a string or a list of strings", null),
        };
    }

    private ImmutableArray<string> TextOrList(string key)
    {
        var value = Take(key);
        return value.ValueKind switch
        {
            JsonValueKind.Undefined => [],
            JsonValueKind.String when TryString(value, out var text) => [text],
            JsonValueKind.Array when value.GetArrayLength() > MaxNames =>
                Invalid<ImmutableArray<string>>("$." + key, $"a list of at most {MaxNames} strings", []),
            _ => Strings("$." + key, value),
        };
    }

    private ImmutableArray<string> Strings(string path, JsonElement value)
    {
        if (value.ValueKind is JsonValueKind.Null)
            return [];
        if (value.ValueKind != JsonValueKind.Array)
            return Invalid<ImmutableArray<string>>(path, "a list of strings", []);
        var result = ImmutableArray.CreateBuilder<string>(value.GetArrayLength());
        foreach (var item in value.EnumerateArray())
            result.Add(item.ValueKind == JsonValueKind.String && TryString(item, out var text) ? text : Invalid($"{path}[{result.Count}]", "a string", ""));
        return result.ToImmutable();
    }

    private ImmutableArray<int> Layers()
    {
        const string Path = "$.layers_to_transform";
        var value = Take("layers_to_transform");
        if (value.ValueKind == JsonValueKind.Undefined)
            return [];
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var single))
            return [single];
        if (value.ValueKind != JsonValueKind.Array)
            return Invalid<ImmutableArray<int>>(Path, "an integer or a list of integers", []);
        return [.. value.EnumerateArray().Select((item, i) =>
            item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var layer) ? layer : Invalid($"{Path}[{i}]", "an integer", 0))];
    }

    private TrainedBias Bias() => Text("bias") switch
    {
        null or "none" => TrainedBias.None,
        "all" => TrainedBias.All,
        "lora_only" => TrainedBias.LoraOnly,
        _ => Invalid("$.bias", "none, all or lora_only", TrainedBias.None),
    };

    private string Init()
    {
        var value = Take("init_lora_weights");
        var init = value.ValueKind switch
        {
            JsonValueKind.Undefined or JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            JsonValueKind.String when TryString(value, out var text) => text,
            _ => Invalid("$.init_lora_weights", "true, false or a string", "true"),
        };
        if (!(init is "true" or "false" || string.Equals(init, "gaussian", StringComparison.OrdinalIgnoreCase)))
        {
            problems.Add(new(
                ConfigError.InitUnsupported, "$.init_lora_weights",
                $"init_lora_weights is '{init}': the factors may be relative to a modified base model. Convert them to a plain LoRA first."));
        }

        return init;
    }

    // A JSON string may escape half a character; that has no text.
    private static bool TryString(JsonElement value, out string text)
    {
        try
        {
            text = value.GetString()!;
            return true;
        }
        catch (InvalidOperationException)
        {
            text = "";
            return false;
        }
    }
}

using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Marketplace.Core.Formats;

/// <summary>Writes adapter_config.json.</summary>
internal static class AdapterConfigWriter
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, IndentSize = 2, NewLine = "\n" };

    public static byte[] Write(AdapterConfig config)
    {
        var members = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        foreach (var (key, value) in config.Other)
            members[key] = JsonSerializer.SerializeToNode(value);

        members["peft_type"] = "LORA";
        members["base_model_name_or_path"] = config.BaseModel;
        members["revision"] = config.Revision;
        members["task_type"] = config.TaskType;
        members["r"] = config.Rank;
        members["lora_alpha"] = Number(config.Alpha);
        members["lora_dropout"] = config.Dropout;
        members["use_rslora"] = config.UseRsLora;
        members["use_dora"] = config.UseDora;
        members["rank_pattern"] = Pattern(config.RankPattern, r => r);
        members["alpha_pattern"] = Pattern(config.AlphaPattern, Number);
        members["target_modules"] = Selector(config.TargetModules);
        members["fan_in_fan_out"] = config.FanInFanOut;
        members["bias"] = config.Bias switch { TrainedBias.All => "all", TrainedBias.LoraOnly => "lora_only", _ => "none" };
        members["modules_to_save"] = config.ModulesToSave.IsEmpty ? null : List(config.ModulesToSave);
        members["init_lora_weights"] = config.InitLoraWeights switch { "true" => true, "false" => false, var name => name };
        members["inference_mode"] = config.InferenceMode;

        // Newer members: only where they say something.
        AddIf(config.LoraBias, "lora_bias", () => true);
        AddIf(config.ExcludeModules is not null, "exclude_modules", () => Selector(config.ExcludeModules));
        AddIf(!config.LayersToTransform.IsEmpty, "layers_to_transform", () => new JsonArray([.. config.LayersToTransform.Select(i => (JsonNode)i)]));
        AddIf(!config.LayersPattern.IsEmpty, "layers_pattern", () => List(config.LayersPattern));
        return [.. JsonSerializer.SerializeToUtf8Bytes(new JsonObject(members), Indented), (byte)'\n'];

        void AddIf(bool condition, string key, Func<JsonNode?> value)
        {
            if (condition)
                members[key] = value();
        }
    }

    // PEFT writes 16 where the alpha is an integer, and some readers insist on it.
    private static JsonNode Number(double value) =>
        value == Math.Floor(value) && Math.Abs(value) < 1L << 53 ? (JsonNode)(long)value : value;

    private static JsonArray List(ImmutableArray<string> names) => new([.. names.Select(n => (JsonNode)n)]);

    private static JsonObject Pattern<T>(ImmutableArray<PatternValue<T>> pattern, Func<T, JsonNode> value) =>
        new(pattern.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)value(p.Value))));

    private static JsonNode? Selector(ModuleSelector? selector) => selector switch
    {
        null => null,
        { IsAllLinear: true } => "all-linear",
        { Pattern: { } pattern } => pattern,
        _ => List(selector.Names),
    };
}

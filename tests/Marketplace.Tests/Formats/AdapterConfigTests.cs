using System.Text;
using System.Text.Json;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Formats;

public sealed class AdapterConfigTests
{
    public static TheoryData<string> OtherTypes =>
    [
        "ADALORA", "ADAMSS", "ADAPTION_PROMPT", "BEFT", "BOFT", "C3A", "DEFT", "DELORA", "FOURIERFT", "FROD", "GLORA", "GRALORA", "HIRA", "HRA", "IA3",
        "LILY", "LN_TUNING", "LOHA", "LOKR", "MISS", "OFT", "OSF", "P_TUNING", "PEANUT", "PREFIX_TUNING", "PROMPT_TUNING", "PSOFT", "PVERA", "RANDLORA",
        "ROAD", "SHIRA", "SUPERTUNING", "TINYLORA", "TRAINABLE_TOKENS", "UNILORA", "VBLORA", "VERA", "WAVEFT", "lora", "",
    ];

    [Fact]
    public void What_is_absent_has_the_defaults_of_PEFT()
    {
        var config = Valid("""{"peft_type":"LORA"}""");
        Assert.Equal((8, 8.0, "true", false), (config.Rank, config.Alpha, config.InitLoraWeights, config.UseRsLora));
        Assert.Equal((null, null, TrainedBias.None, false), (config.BaseModel, config.TargetModules, config.Bias, config.FanInFanOut));
        Assert.Empty(config.ModulesToSave);
    }

    [Fact]
    public void Every_member_that_changes_meaning_is_read()
    {
        var config = Valid("""
            {"peft_type":"LORA","base_model_name_or_path":"org/base","revision":"abc","task_type":"CAUSAL_LM","r":4,"lora_alpha":16.5,"use_rslora":true,
             "rank_pattern":{"q_proj":3,"^x$":2},"alpha_pattern":{"b":1.5,"a":2},"target_modules":["q_proj","v_proj","q_proj"],"exclude_modules":".*lm_head",
             "layers_to_transform":[1,2],"layers_pattern":"layers","fan_in_fan_out":true,"bias":"lora_only","modules_to_save":["score"],"use_dora":true,
             "lora_bias":true,"init_lora_weights":false,"trainable_token_indices":[5],"alora_invocation_tokens":[7],"lora_dropout":0.1,"inference_mode":true}
            """);
        Assert.Equal(("org/base", "abc", "CAUSAL_LM", 4, 16.5, true), (config.BaseModel, config.Revision, config.TaskType, config.Rank, config.Alpha, config.UseRsLora));
        Assert.Equal([new("q_proj", 3), new("^x$", 2)], config.RankPattern);
        Assert.Equal([new("b", 1.5), new("a", 2)], config.AlphaPattern);
        Assert.Equal(["q_proj", "v_proj", "q_proj"], config.TargetModules!.Names);
        Assert.Equal(".*lm_head", config.ExcludeModules!.Pattern);
        Assert.Equal([1, 2], config.LayersToTransform);
        Assert.Equal(["layers"], config.LayersPattern);
        Assert.Equal((true, TrainedBias.LoraOnly, true, true), (config.FanInFanOut, config.Bias, config.UseDora, config.LoraBias));
        Assert.Equal(["score"], config.ModulesToSave);
        Assert.Equal(("false", true, true, 0.1, true), (config.InitLoraWeights, config.HasTrainedTokens, config.IsActivatedByTokens, config.Dropout, config.InferenceMode));
    }

    [Fact]
    public void A_string_of_targets_is_an_expression_or_all_linear()
    {
        Assert.True(Valid("""{"peft_type":"LORA","target_modules":"all-linear"}""").TargetModules!.IsAllLinear);
        Assert.Equal(".*q_proj", Valid("""{"peft_type":"LORA","target_modules":".*q_proj"}""").TargetModules!.Pattern);
    }

    [Theory]
    [InlineData("""{"peft_type":"LORA","r":0}""", "$.r")]
    [InlineData("""{"peft_type":"LORA","r":"8"}""", "$.r")]
    [InlineData("""{"peft_type":"LORA","r":8.5}""", "$.r")]
    [InlineData("""{"peft_type":"LORA","lora_alpha":"x"}""", "$.lora_alpha")]
    [InlineData("""{"peft_type":"LORA","lora_alpha":1e999}""", "$.lora_alpha")]
    [InlineData("""{"peft_type":"LORA","use_rslora":1}""", "$.use_rslora")]
    [InlineData("""{"peft_type":"LORA","rank_pattern":{"q":-1}}""", "$.rank_pattern['q']")]
    [InlineData("""{"peft_type":"LORA","rank_pattern":[]}""", "$.rank_pattern")]
    [InlineData("""{"peft_type":"LORA","alpha_pattern":{"q":[]}}""", "$.alpha_pattern['q']")]
    [InlineData("""{"peft_type":"LORA","target_modules":5}""", "$.target_modules")]
    [InlineData("""{"peft_type":"LORA","target_modules":["a",5]}""", "$.target_modules[1]")]
    [InlineData("""{"peft_type":"LORA","layers_to_transform":["1"]}""", "$.layers_to_transform[0]")]
    [InlineData("""{"peft_type":"LORA","layers_to_transform":"1"}""", "$.layers_to_transform")]
    [InlineData("""{"peft_type":"LORA","bias":"some"}""", "$.bias")]
    [InlineData("""{"peft_type":"LORA","modules_to_save":{}}""", "$.modules_to_save")]
    [InlineData("""{"peft_type":"LORA","init_lora_weights":3}""", "$.init_lora_weights")]
    [InlineData("""{"peft_type":"LORA","base_model_name_or_path":["x"]}""", "$.base_model_name_or_path")]
    [InlineData("""{"peft_type":"LORA","base_model_name_or_path":"\ud800"}""", "$.base_model_name_or_path")]
    public void A_value_of_the_wrong_kind_is_named_by_its_path(string json, string path)
    {
        var parse = Parse(json);
        Assert.Null(parse.Config);
        Assert.Equal((ConfigError.Invalid, path), Assert.Single(parse.Problems.Select(p => (p.Error, p.Path))));
    }

    [Fact]
    public void All_faults_are_found_at_once()
    {
        var problems = Parse("""{"peft_type":"LORA","r":0,"bias":"x","rank_pattern":{"(":4},"init_lora_weights":"pissa","use_qalora":true}""").Problems;
        Assert.Equal(
            [ConfigError.Invalid, ConfigError.Invalid, ConfigError.InvalidPattern, ConfigError.InitUnsupported, ConfigError.VariantUnsupported],
            problems.Select(p => p.Error).Order());
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"r\":NaN}")]
    [InlineData("{\"r\":1,\"r\":2}")]
    [InlineData("{\"rank_pattern\":{\"a\":1,\"a\":2}}")]
    [InlineData("version https://git-lfs.github.com/spec/v1")]
    public void What_is_not_a_json_object_with_unique_names_is_no_configuration(string text) =>
        Assert.Equal(ConfigError.NotJson, Assert.Single(Parse(text).Problems).Error);

    [Theory]
    [MemberData(nameof(OtherTypes))]
    public void Other_types_are_refused_by_name(string type)
    {
        var problem = Assert.Single(Parse($$"""{"peft_type":"{{type}}","r":"not looked at"}""").Problems);
        Assert.Equal((ConfigError.PeftTypeUnsupported, "$.peft_type"), (problem.Error, problem.Path));
        Assert.Contains(type, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_configuration_without_a_type_is_refused() =>
        Assert.Equal(ConfigError.PeftTypeUnsupported, Assert.Single(Parse("""{"r":8}""").Problems).Error);

    [Theory]
    [InlineData("\"pissa\"", false)]
    [InlineData("\"pissa_niter_16\"", false)]
    [InlineData("\"olora\"", false)]
    [InlineData("\"corda\"", false)]
    [InlineData("\"loftq\"", false)]
    [InlineData("\"lora_ga\"", false)]
    [InlineData("\"mica\"", false)]
    [InlineData("\"eva\"", false)]
    [InlineData("\"gaussian\"", true)]
    [InlineData("true", true)]
    [InlineData("false", true)]
    [InlineData("null", true)]
    public void Only_initialisations_that_leave_the_base_alone_are_accepted(string init, bool accepted)
    {
        var parse = Parse($$"""{"peft_type":"LORA","init_lora_weights":{{init}}}""");
        Assert.Equal(accepted ? [] : [(ConfigError.InitUnsupported, "$.init_lora_weights")], parse.Problems.Select(p => (p.Error, p.Path)));
    }

    [Theory]
    [InlineData("use_qalora", "true")]
    [InlineData("use_bdlora", "{\"blocks\":2}")]
    [InlineData("layer_replication", "[[0,4],[2,5]]")]
    [InlineData("kasa_config", "{\"beta\":1}")]
    [InlineData("monteclora_config", "{\"x\":1}")]
    [InlineData("velora_config", "{\"x\":1}")]
    [InlineData("arrow_config", "{\"top_k\":2}")]
    [InlineData("target_parameters", "[\"experts.gate\"]")]
    [InlineData("enable_lora", "[true,false,true]")]
    public void Variants_with_another_delta_are_refused_and_their_defaults_are_not(string key, string value)
    {
        Assert.Equal((ConfigError.VariantUnsupported, "$." + key), Assert.Single(Parse($$"""{"peft_type":"LORA","{{key}}":{{value}}}""").Problems.Select(p => (p.Error, p.Path))));
        Assert.Empty(Parse($$"""{"peft_type":"LORA","{{key}}":null}""").Problems);
        Assert.Empty(Parse($$"""{"peft_type":"LORA","{{key}}":false}""").Problems.Where(_ => key != "target_parameters"));
    }

    [Fact]
    public void Unknown_members_are_kept_and_written_back()
    {
        var config = Valid("""{"peft_type":"LORA","zzz":{"b":1,"a":[null,1.50]},"peft_version":"9","auto_mapping":null,"lora_alpha":16.0}""");
        Assert.Equal(["auto_mapping", "peft_version", "zzz"], config.Other.Keys);
        using var written = JsonDocument.Parse(config.ToJson());
        Assert.Equal("""{"b":1,"a":[null,1.50]}""", JsonSerializer.Serialize(written.RootElement.GetProperty("zzz")));
        Assert.Equal("16", written.RootElement.GetProperty("lora_alpha").GetRawText());
    }

    [Fact]
    public void What_PEFT_wrote_means_the_same_after_writing_it_again()
    {
        var written = 0;
        foreach (var path in Directory.GetFiles(Fixtures.Root, "adapter_config.json", SearchOption.AllDirectories))
        {
            if (Parse(File.ReadAllText(path)) is not { Config: { } config })
                continue;
            var first = config.ToJson();
            Assert.Equal(Encoding.UTF8.GetString(first), Encoding.UTF8.GetString(AdapterConfig.Parse(first).Config!.ToJson()));
            using var before = JsonDocument.Parse(File.ReadAllText(path));
            using var after = JsonDocument.Parse(first);
            foreach (var member in before.RootElement.EnumerateObject())
            {
                if (after.RootElement.TryGetProperty(member.Name, out var now))
                    Assert.True(JsonElement.DeepEquals(member.Value, now), $"{member.Name}: {member.Value} became {now}");
                else
                    Assert.True(member.Value.ValueKind is JsonValueKind.Null or JsonValueKind.False, member.Name);
            }

            written++;
        }

        Assert.True(written > 30);
    }

    [Fact]
    public void A_new_configuration_has_the_members_of_the_serving_profile_and_no_others()
    {
        var config = new AdapterConfig { BaseModel = "org/base", Rank = 16, Alpha = 16, TargetModules = ModuleSelector.List(["q_proj"]) };
        using var written = JsonDocument.Parse(config.ToJson());
        Assert.Equal(
            [
                "alpha_pattern", "base_model_name_or_path", "bias", "fan_in_fan_out", "inference_mode", "init_lora_weights", "lora_alpha", "lora_dropout",
                "modules_to_save", "peft_type", "r", "rank_pattern", "revision", "target_modules", "task_type", "use_dora", "use_rslora",
            ],
            written.RootElement.EnumerateObject().Select(p => p.Name));
    }

    private static AdapterConfigParse Parse(string json) => AdapterConfig.Parse(Encoding.UTF8.GetBytes(json));

    private static AdapterConfig Valid(string json)
    {
        var parse = Parse(json);
        Assert.Empty(parse.Problems);
        return parse.Config!;
    }
}

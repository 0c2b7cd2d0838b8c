using System.Text.RegularExpressions;
using CsCheck;
using Marketplace.Core.Formats;
using Xunit;

namespace Marketplace.Tests.Formats;

public sealed class ModuleRulesTests
{
    /// <summary>Key, module name, and whether Python's <c>re.match(rf"^(.*\.)?({key})$", name)</c> matches.</summary>
    [Theory]
    [InlineData("q_proj", "model.layers.0.self_attn.q_proj", true)]
    [InlineData("q_proj", "q_proj", true)]
    [InlineData("q_proj", "model.layers.0.self_attn.aq_proj", false)]
    [InlineData("q_proj", "model.q_proj.lora", false)]
    [InlineData("layers.1.self_attn.q_proj", "model.layers.1.self_attn.q_proj", true)]
    [InlineData("layers.1.self_attn.q_proj", "model.layers.11.self_attn.q_proj", false)]
    [InlineData("layers.1.self_attn.q_proj", "model.layers_1.self_attn.q_proj", true)] // a dot is any character
    [InlineData("q_proj|v_proj", "a.v_proj", true)]
    [InlineData("q_proj|v_proj", "a.xv_proj", false)] // the group around the key holds the alternatives together
    [InlineData(@"layers\.0\..*q_proj", "model.layers.0.self_attn.q_proj", true)]
    [InlineData(@".*\.(?P<n>\d+)\.fc", "h.12.fc", true)]
    [InlineData("Q_PROJ", "a.q_proj", false)]
    [InlineData("", "a.", true)]
    [InlineData("q.", "x.qa", true)]
    [InlineData("q.", "x.q", false)]
    public void A_key_matches_as_in_Python(string key, string module, bool matches)
    {
        var rules = new ModuleRules(new AdapterConfig { Rank = 8, RankPattern = [new(key, 3)] });
        Assert.Equal(matches ? 3 : 8, rules.Rank(module));
    }

    [Fact]
    public void Comparing_text_decides_as_the_expression_does() =>
        Gen.Select(Gen.String[Gen.Char["ab._"], 1, 5], Gen.String[Gen.Char["ab._"], 0, 8]).Sample((key, name) =>
        {
            var rules = new ModuleRules(new AdapterConfig { Rank = 8, RankPattern = [new(key, 3)] });
            var expected = Regex.IsMatch(name, $@"^(.*\.)?({key})$", RegexOptions.CultureInvariant) || key == name;
            return expected == (rules.Rank(name) == 3);
        }, iter: 20_000);

    [Fact]
    public void The_first_key_that_matches_counts()
    {
        Assert.Equal(1, new ModuleRules(new AdapterConfig { RankPattern = [new("q_proj", 1), new("0.q_proj", 2)] }).Rank("l.0.q_proj"));
        Assert.Equal(2, new ModuleRules(new AdapterConfig { RankPattern = [new("0.q_proj", 2), new("q_proj", 1)] }).Rank("l.0.q_proj"));
    }

    [Fact]
    public void A_key_that_is_the_name_itself_counts_even_where_it_does_not_match() =>
        Assert.Equal(3, new ModuleRules(new AdapterConfig { RankPattern = [new("a+b", 3)] }).Rank("a+b"));

    [Theory]
    [InlineData(false, "l.k_proj", 2.0)] // 16 / 8
    [InlineData(true, "l.k_proj", 5.65685424949238)] // 16 / sqrt(8)
    [InlineData(false, "l.q_proj", 4.0)] // 16 / 4
    [InlineData(true, "l.q_proj", 8.0)]
    [InlineData(false, "l.v_proj", 0.3125)] // 2.5 / 8
    public void The_scaling_is_alpha_over_r_or_its_root(bool rsLora, string module, double scaling)
    {
        var config = new AdapterConfig { Rank = 8, Alpha = 16, UseRsLora = rsLora, RankPattern = [new("q_proj", 4)], AlphaPattern = [new("v_proj", 2.5)] };
        Assert.Equal(scaling, new ModuleRules(config).Scaling(module), 14);
    }

    [Theory]
    [InlineData("model.layers.1.self_attn.q_proj", true)]
    [InlineData("q_proj", true)]
    [InlineData("model.layers.1.self_attn.aq_proj", false)]
    [InlineData("model.lm_head", false)]
    public void A_list_names_modules_or_their_ends(string module, bool isTarget) =>
        Assert.Equal(isTarget, new ModuleRules(new AdapterConfig { TargetModules = ModuleSelector.List(["q_proj", "attn.k_proj"]) }).IsTarget(module));

    [Fact]
    public void An_expression_must_match_the_whole_name()
    {
        var rules = new ModuleRules(new AdapterConfig { TargetModules = ModuleSelector.FromString(@".*\.[qv]_proj|fc") });
        Assert.True(rules.IsTarget("l.0.q_proj"));
        Assert.True(rules.IsTarget("fc"));
        Assert.False(rules.IsTarget("l.0.q_proj.x"));
        Assert.False(rules.IsTarget("fc1"));
    }

    [Fact]
    public void Layers_are_selected_by_their_index()
    {
        var names = ModuleSelector.List(["q_proj", "special.q"]);
        var any = new ModuleRules(new AdapterConfig { TargetModules = names, LayersToTransform = [1, 3] });
        Assert.True(any.IsTarget("model.layers.1.self_attn.q_proj"));
        Assert.False(any.IsTarget("model.layers.2.self_attn.q_proj"));
        Assert.False(any.IsTarget("model.layers.11.self_attn.q_proj"));
        Assert.False(any.IsTarget("model.q_proj"));
        Assert.True(any.IsTarget("special.q")); // a full name needs no layer
        var pattern = new ModuleRules(new AdapterConfig { TargetModules = names, LayersToTransform = [1], LayersPattern = ["blocks", "h"] });
        Assert.True(pattern.IsTarget("model.h.1.q_proj"));
        Assert.False(pattern.IsTarget("model.layers.1.q_proj"));
    }

    [Fact]
    public void Excluded_modules_are_no_targets()
    {
        var list = new ModuleRules(new AdapterConfig { TargetModules = ModuleSelector.AllLinear, ExcludeModules = ModuleSelector.List(["lm_head"]) });
        Assert.True(list.IsTarget("a.fc"));
        Assert.False(list.IsTarget("model.lm_head"));
        var expression = new ModuleRules(new AdapterConfig { TargetModules = ModuleSelector.List(["fc"]), ExcludeModules = ModuleSelector.FromString("a.*") });
        Assert.False(expression.IsTarget("a.fc"));
        Assert.True(expression.IsTarget("b.fc"));
    }

    [Fact]
    public void Where_the_configuration_is_silent_any_module_may_be_adapted() =>
        Assert.True(new ModuleRules(new AdapterConfig()).IsTarget("anything"));

    [Fact]
    public void A_pattern_that_can_not_be_read_is_reported_where_it_stands()
    {
        var config = new AdapterConfig
        {
            RankPattern = [new("(", 1)],
            AlphaPattern = [new("a**", 1)],
            TargetModules = ModuleSelector.FromString("[z-a]"),
            ExcludeModules = ModuleSelector.FromString(")"),
            LayersPattern = ["h", "(?<"],
        };
        Assert.Equal(
            ["$.rank_pattern['(']", "$.alpha_pattern['a**']", "$.target_modules", "$.exclude_modules", "$.layers_pattern[1]"],
            ModuleRules.Check(config).Select(p => p.Path));
        Assert.Throws<ArgumentException>(() => new ModuleRules(config));
        Assert.Throws<ArgumentException>(() => new ModuleRules(new AdapterConfig { RankPattern = [new(new string('|', 20_000), 1)] }));
    }

    [Fact]
    public void A_catastrophic_pattern_runs_out_of_time_once_for_all_modules()
    {
        var rules = new ModuleRules(new AdapterConfig { RankPattern = [new("(a+)+b", 1)] });
        var attempts = 0;
        var clock = System.Diagnostics.Stopwatch.StartNew();
        for (; attempts < 1000; attempts++)
            Assert.Throws<RegexMatchTimeoutException>(() => rules.Rank(new string('a', 200)));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), "1000 modules must not take 1000 time limits.");
    }
}

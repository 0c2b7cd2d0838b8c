using System.Text;
using Marketplace.Core.Formats;
using Marketplace.Core.Validation;
using Marketplace.Tests.Validation;
using Xunit;

namespace Marketplace.Tests.Attacks;

/// <summary>Configurations made to cost more than they should.</summary>
public sealed class HostileConfigTests
{
    [Fact]
    public void Deep_nesting_is_no_configuration() =>
        Assert.Equal(ConfigError.NotJson, Assert.Single(Parse("{\"x\":" + new string('[', 100_000)).Problems).Error);

    [Fact]
    public void Too_many_patterns_or_names_are_refused()
    {
        var patterns = string.Join(',', Enumerable.Range(0, 10_001).Select(i => $"\"p{i}\":4"));
        Assert.Equal(["$.rank_pattern"], Parse($"{{\"peft_type\":\"LORA\",\"rank_pattern\":{{{patterns}}}}}").Problems.Select(p => p.Path));
        var names = string.Join(',', Enumerable.Range(0, 1001).Select(i => $"\"n{i}\""));
        Assert.Equal(["$.modules_to_save"], Parse($"{{\"peft_type\":\"LORA\",\"modules_to_save\":[{names}]}}").Problems.Select(p => p.Path));
    }

    [Fact]
    public void A_flood_of_bad_values_is_reported_up_to_a_bound() =>
        Assert.Equal(1000, Parse($"{{\"peft_type\":\"LORA\",\"target_modules\":[{string.Join(',', Enumerable.Repeat("1", 50_000))}]}}").Problems.Length);

    [Fact]
    public void A_report_does_not_repeat_what_is_too_long_to_read()
    {
        var files = new CaseFiles().Set("rank_pattern", $"{{\"{new string('x', 100_000)}\":0}}").Files();
        Assert.All(AdapterValidator.Validate(files).Issues, i => Assert.True(i.Path.Length + i.Message.Length < 5000));
    }

    [Fact]
    public void Many_names_cost_no_more_than_few()
    {
        // 100,000 names to exclude and as many targets, for 2,000 modules: 4e8 comparisons if done one by one.
        var names = string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"\"n{i}\""));
        var config = Parse($"{{\"peft_type\":\"LORA\",\"target_modules\":[{names}],\"exclude_modules\":[{names}]}}").Config!;
        var rules = new ModuleRules(config);
        var clock = System.Diagnostics.Stopwatch.StartNew();
        for (var i = 0; i < 2000; i++)
            Assert.False(rules.IsTarget($"model.layers.{i}.self_attn.q_proj"));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5));
    }

    private static AdapterConfigParse Parse(string json) => AdapterConfig.Parse(Encoding.UTF8.GetBytes(json));
}

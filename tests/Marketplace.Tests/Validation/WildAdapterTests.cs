using Marketplace.Core.Formats;
using Marketplace.Core.Validation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Validation;

/// <summary>Real adapters get the verdict that a person gave them.</summary>
public sealed class WildAdapterTests
{
    [Fact]
    public void Real_adapters_get_the_verdict_and_the_reasons_of_the_catalogue()
    {
        var wrong = new List<string>();
        var catalogue = WildAdapters.Catalogue();
        Assert.NotEmpty(catalogue);
        foreach (var adapter in catalogue)
        {
            var report = AdapterValidator.Validate(AdapterFile.FromFolder(adapter.Folder));

            // A refusal is explained by its errors; an acceptance by everything said. Repeated content is for the service to know.
            var expected = adapter.Because.Where(code => code != "warn:same-content").Order();
            var found = report.Issues.Where(i => report.Accepted || i.Severity == IssueSeverity.Error).Select(Written).Distinct().Order();
            if (report.Accepted != adapter.IsAccepted || !expected.SequenceEqual(found))
                wrong.Add($"{adapter.Name}: expected {string.Join(' ', expected)}, found {string.Join(' ', found)}");
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Real_adapters_that_are_accepted_can_be_opened_and_the_others_can_not()
    {
        foreach (var adapter in WildAdapters.Catalogue().Where(a => !a.Because.Contains("non-finite")))
        {
            Assert.Equal(adapter.IsAccepted, AdapterReader.TryOpen(adapter.Folder, out var opened, out _));
            if (opened is null)
                continue;
            using (opened)
            {
                Assert.NotEmpty(opened.Modules);
                Assert.All(opened.Modules, m => Assert.Equal((m.Out, m.In), opened.Delta(m.Name) is { } d ? (d.Out, d.In) : default));
            }
        }
    }

    [Fact]
    public void Every_configuration_that_PEFT_can_write_is_recognised_by_its_type()
    {
        var files = Directory.GetFiles(Path.Combine(WildAdapters.Folder(), "_configs_only"), "*.json");
        Assert.Equal(43, files.Length);
        foreach (var file in files)
        {
            var parse = AdapterConfig.Parse(File.ReadAllBytes(file));
            var name = Path.GetFileNameWithoutExtension(file);
            var expected = name is "lora" or "lora_dora" or "lora_rslora" ? (ConfigError?)null
                : name.StartsWith("lora_init-", StringComparison.Ordinal) ? ConfigError.InitUnsupported : ConfigError.PeftTypeUnsupported;
            Assert.Equal((name, expected), (name, parse.Problems.Select(p => (ConfigError?)p.Error).SingleOrDefault()));
            if (expected == ConfigError.PeftTypeUnsupported)
                Assert.Contains(name.Split('_')[0], parse.Problems[0].Message.Replace("_", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase);
        }
    }

    private static string Written(ValidationIssue issue) => issue.Severity switch
    {
        IssueSeverity.Warning => "warn:" + issue.Code,
        IssueSeverity.Info => "info:" + issue.Code,
        _ => issue.Code,
    };
}

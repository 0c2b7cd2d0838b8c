using System.Text;
using CsCheck;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Xunit;

namespace Marketplace.Tests.Formats;

public sealed class DerivedCardTests
{
    private static readonly CardParent One = Parent("ann/one", "mit", ["en"], ["org/a"], "text-generation");
    private static readonly CardParent Two = Parent("bob/two", "MIT", ["de", "en"], ["org/b", "org/a"], "text-generation");

    [Fact]
    public void Front_matter_is_read_back_as_it_was_meant()
    {
        var card = ModelCard.Parse(Text(Card(One, Two)));
        Assert.Equal(("mit", "text-generation", "peft"), (card.License, card.PipelineTag, card.LibraryName));
        Assert.Equal(["org/base"], card.BaseModels);
        Assert.Equal(["de", "en"], card.Languages);
        Assert.Equal(["org/a", "org/b"], card.Datasets);
        Assert.Equal(["lora", "merge", "ties"], card.Tags);
        Assert.Empty(ModelCard.Check(Text(Card(One, Two))).Errors);
        Assert.Contains("base_model_relation: adapter\n", Text(Card(One, Two)), StringComparison.Ordinal);
    }

    [Fact]
    public void It_says_what_it_was_made_of_how_and_what_was_lost()
    {
        var text = Text(Card(One, Two));
        Assert.Contains("| `ann/one` | 3 | `aaaaaaaaaaaa` | input | 0.5 | 62.5 % |", text, StringComparison.Ordinal);
        Assert.Contains("| `bob/two` | 3 | `aaaaaaaaaaaa` | input | 0.5 | 37.5 % |", text, StringComparison.Ordinal);
        Assert.Contains("\"method\": \"ties\"", text, StringComparison.Ordinal);
        Assert.Contains("\"density\": 0.2", text, StringComparison.Ordinal);
        Assert.Contains("discarded 25 % of its norm", text, StringComparison.Ordinal);
        Assert.Contains("- `layers.0.q` lost 30 %.", text, StringComparison.Ordinal);
        Assert.DoesNotContain("layers.1.q` lost", text, StringComparison.Ordinal);
        Assert.Contains("of `ann/one` these are no LoRA factors and have no place in the result: `lm_head`", text, StringComparison.Ordinal);
        Assert.Contains("vllm serve org/base --enable-lora --max-lora-rank 16 --lora-modules", text, StringComparison.Ordinal);
        Assert.Contains("from_pretrained(\"org/base\")", text, StringComparison.Ordinal);
        Assert.DoesNotContain("ann/out", text, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_hidden_parents_it_says_that_there_are_some()
    {
        var text = Text(Card(One) with { Hidden = true, Report = Report(One) });
        Assert.Contains("And others that are not public.", text, StringComparison.Ordinal);
        Assert.DoesNotContain("bob/two", text, StringComparison.Ordinal);
        Assert.DoesNotContain("```json", text, StringComparison.Ordinal);
        var card = ModelCard.Parse(text);
        Assert.Equal((null, null), (card.License, card.PipelineTag));
        Assert.Contains("None of its parents is public.", Text(Card() with { Hidden = true, Report = Report() }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mit", "mit", "mit")]
    [InlineData("mit", "apache-2.0", null)]
    [InlineData("mit", null, null)]
    [InlineData("mit", "made-up", null)]
    [InlineData("mit", "cc-by-sa-4.0", "cc-by-sa-4.0")]
    [InlineData("cc-by-nd-4.0", "cc-by-nd-4.0", null)]
    [InlineData("cc-by-sa-4.0", "gpl-3.0", "gpl-3.0")]
    [InlineData("llama3", "LLAMA3", "llama3")]
    [InlineData("cc-by-nc-sa-4.0", "gpl-3.0", null)]
    public void It_has_the_licence_that_the_parents_leave_if_they_leave_one(string? first, string? second, string? left) =>
        Assert.Equal(left, Card(One with { License = first }, Two with { License = second }).License);

    [Fact]
    public void Times_and_memory_are_no_part_of_it()
    {
        var card = Card(One, Two);
        var other = card with { Report = card.Report with { Seconds = 99, PeakMemoryBytes = 1 << 30, Kernel = "9 other", Modules = [.. card.Report.Modules.Select(m => m with { Seconds = 7 })] } };
        Assert.Equal(Text(card), Text(other));
        Assert.NotEqual(Text(card), Text(card with { Rank = 32 }));
    }

    [Fact]
    public void Subtractions_and_compositions_are_called_what_they_are()
    {
        Assert.Equal(["lora", "subtraction", "genknowsub_project"], ModelCard.Parse(Text(Card(One) with { Method = "genknowsub_project" })).Tags);
        Assert.Equal(["lora", "composition", "atlas"], ModelCard.Parse(Text(Card(One) with { Method = "atlas", Learned = true })).Tags);
    }

    [Fact]
    public void Whatever_a_text_contains_front_matter_gives_it_back() =>
        Gen.OneOf(Gen.String[0, 40], Gen.Int[0, Awkward.Length - 1].Select(i => Awkward[i]))
            .Array[1, 4].Sample(texts =>
            {
                var yaml = new CardYaml().Add("tags", texts).ToString();
                var expected = texts.Where(t => t.Length > 0).Select(t => t.Length <= 100 ? t : "").Distinct(StringComparer.Ordinal);
                Assert.Empty(ModelCard.Check(yaml).Errors);
                Assert.Equal(expected, ModelCard.Parse(yaml).Tags);
            }, iter: 500);

    [Fact]
    public void Names_of_modules_break_no_markdown()
    {
        var card = Card(One);
        var text = Text(card with { Report = card.Report with { Modules = [card.Report.Modules[0] with { Module = "a`|\n# b" }] } });
        Assert.Contains("- `a???# b` lost 30 %.", text, StringComparison.Ordinal);
    }

    private static readonly string[] Awkward =
        ["yes", "No", "null", "~", "- x", "a: b", "#x", "---", "\n---\n", "1.5", "'", "\"", "{", "\u2028", "\ud83d\ude00", "x\ty", "&a", "*a", "!t", "%", "@", "`"];

    private static string Text(DerivedCard card) => Encoding.UTF8.GetString(card.Write());

    private static CardParent Parent(string name, string? license, string[] languages, string[] datasets, string? task) =>
        new(new VersionReference(name, 3, new string('a', 40)), 0.5, "input", license, [.. languages], [.. datasets], task);

    private static DerivedCard Card(params CardParent[] parents) => new()
    {
        BaseModel = "org/base",
        Method = "ties",
        Parents = [.. parents],
        Recipe = new MergeRecipe("ties", [.. parents.Select(p => RecipeInput.Of($"{p.Version.Adapter}@3", 0.5))], new OutputRequest("ann/out"), Notes: "secret").With("density", RecipeValue.Of(0.2)),
        Report = Report(parents),
        Rank = 16,
        Modules = 2,
    };

    private static MergeReportView Report(params CardParent[] parents) => new(
        "ties", "digest", "2 cpu", [.. parents.Select((p, i) => new MergeParentView([p.Version], 1, 0.5, i == 0 ? 0.625 : 0.375, i == 0 ? ["lm_head"] : []))], 16, 2, 0.5, 0.25, 3, 4,
        [Module("layers.0.q", 0.3), Module("layers.1.q", 0.01)]);

    private static MergedModuleView Module(string name, double discarded) => new(name, 8, 4, 1, discarded, discarded, 0, 1, []);
}

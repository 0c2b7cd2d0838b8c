using Marketplace.Core.Formats;
using Xunit;

namespace Marketplace.Tests.Formats;

public sealed class ModelCardTests
{
    [Fact]
    public void License_and_tags_come_from_the_front_matter()
    {
        var card = ModelCard.Parse("---\nlicense: apache-2.0\ntags:\n- sql\n- lora\n- sql\n---\n# An adapter\n");
        Assert.Equal("apache-2.0", card.License);
        Assert.Equal(["sql", "lora"], card.Tags);
    }

    [Theory]
    [InlineData("# No front matter\nlicense: mit\n")]
    [InlineData("---\nlicense: mit\n")]
    [InlineData("---\n- a list\n---\n")]
    [InlineData("---\nlicense: [mit\n---\n")]
    [InlineData("---\nlicense: {a: b}\ntags: sql\n---\n")]
    [InlineData("---\nx: &x [1]\nlicense: mit\ny: *x\n---\n")]
    [InlineData("")]
    public void A_card_that_is_not_as_expected_says_nothing(string readme)
    {
        var card = ModelCard.Parse(readme);
        Assert.Null(card.License);
        Assert.Empty(card.Tags);
    }

    [Fact]
    public void Members_are_read_as_texts_or_lists()
    {
        var card = ModelCard.Parse("""
            ---
            language: en
            datasets: [org/a, "org/b"]
            pipeline_tag: text-generation
            library_name: peft
            base_model:
            - org/base
            - org/base
            license:
            tags: ~
            model-index: [{name: x, results: [{task: {type: t}}]}]
            ---
            """);
        Assert.Equal(("text-generation", "peft"), (card.PipelineTag, card.LibraryName));
        Assert.Equal(["en"], card.Languages);
        Assert.Equal(["org/a", "org/b"], card.Datasets);
        Assert.Equal(["org/base"], card.BaseModels);
        Assert.Null(card.License);
        Assert.Empty(ModelCard.Check("---\nlicense:\ntags: ~\n---\n").Warnings);
        Assert.Equal(["de", "fr"], ModelCard.Parse("---\nlanguage:\n- de\n- fr\n---").Languages);
    }

    [Theory]
    [InlineData("---\nlicense: [mit\n---\n", 3, "not YAML")]
    [InlineData("---\nlicense: mit\n\tx: y\n---\n", 2, "not YAML")]
    [InlineData("---\n\n- a list\n---\n", 3, "not a mapping")]
    [InlineData("---\nx: &x [1]\ny:\n  z: *x\n---\n", 4, "alias")]
    [InlineData("---\nx: 1\nlicense: mit\nx: 2\n---\n", 4, "twice")]
    [InlineData("---\nlicense: mit\n", 1, "no end")]
    public void What_can_not_be_read_is_an_error_with_its_line_and_says_nothing(string readme, int line, string message)
    {
        var error = Assert.Single(ModelCard.Check(readme).Errors);
        Assert.Equal(line, error.Line);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(ModelCard.Empty with { Tags = [] }, ModelCard.Parse(readme));
    }

    [Theory]
    [InlineData("# Title\n", 1, "no front matter")]
    [InlineData("---\ntitle: x\nlicense: [mit]\n---\n", 3, "'license'")]
    [InlineData("---\ntags: sql\n---\n", 2, "'tags'")]
    [InlineData("---\ntags: [a, {b: c}, d]\nlanguage: en\n---\n", 2, "'tags'")]
    [InlineData("---\nlanguage: {en: 1}\n---\n", 2, "'language'")]
    public void What_counts_as_absent_is_a_warning_with_its_line(string readme, int line, string message)
    {
        var check = ModelCard.Check(readme);
        Assert.Empty(check.Errors);
        var warning = Assert.Single(check.Warnings);
        Assert.Equal(line, warning.Line);
        Assert.Contains(message, warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_good_card_gives_rise_to_nothing()
    {
        var check = ModelCard.Check("---\nlicense: mit\ntags: [a]\nunknown: {x: [1, 2]}\n---\n# Text\n");
        Assert.Empty(check.Errors);
        Assert.Empty(check.Warnings);
    }

    // Recursive readers end with the process.
    [Theory]
    [InlineData("x: ", "[", "]")]
    [InlineData("x: ", "{a: ", "}")]
    [InlineData("? ", "[", "]")]
    public void Depth_costs_nothing(string before, string open, string close)
    {
        const int Depth = 10_000;
        var deep = before + string.Concat(Enumerable.Repeat(open, Depth)) + string.Concat(Enumerable.Repeat(close, Depth));
        Assert.Null(ModelCard.Parse($"---\n{deep}\n---\n").License);
        Assert.Null(ModelCard.Parse($"---\n{before}{string.Concat(Enumerable.Repeat(open, Depth))}\n---\n").License);
    }

    [Fact]
    public void Everything_is_bounded()
    {
        var card = ModelCard.Parse($"---\ntags: [{string.Join(',', Enumerable.Range(0, 80).Select(i => $"t{i}"))}, {new string('x', 101)}]\nlicense: {new string('y', 101)}\n---\n");
        Assert.Equal(50, card.Tags.Length);
        Assert.Null(card.License);
        Assert.DoesNotContain(card.Tags, t => t.Length > 100);
    }

    [Theory]
    [InlineData("org/base", false, "ORG/Base")]
    [InlineData("org/base", false, "base")]
    [InlineData("base", false, "org/base")]
    [InlineData("org/base", true, "org/other")]
    [InlineData("org/base", true, "other/base")]
    [InlineData("/models/base", false, "org/other")]
    [InlineData("org/base", false, "/models/other")]
    [InlineData("org/base", false)]
    [InlineData(null, false, "org/base")]
    public void A_card_contradicts_a_base_model_when_it_names_others(string? baseModel, bool contradicts, params string[] named) =>
        Assert.Equal(contradicts, (ModelCard.Empty with { BaseModels = [.. named] }).Contradicts(baseModel));

    [Fact]
    public void Windows_line_endings_are_read_as_well() =>
        Assert.Equal("mit", ModelCard.Parse("---\r\nlicense: mit\r\n---\r\ntext").License);

    [Fact]
    public void Front_matter_beyond_the_limit_is_not_read() =>
        Assert.Null(ModelCard.Parse($"---\nlicense: mit\nx: {new string('a', ModelCard.MaxLength)}\n---\n").License);
}

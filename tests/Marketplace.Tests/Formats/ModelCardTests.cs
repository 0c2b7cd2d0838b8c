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
    public void Windows_line_endings_are_read_as_well() =>
        Assert.Equal("mit", ModelCard.Parse("---\r\nlicense: mit\r\n---\r\ntext").License);

    [Fact]
    public void Front_matter_beyond_the_limit_is_not_read() =>
        Assert.Null(ModelCard.Parse($"---\nlicense: mit\nx: {new string('a', ModelCard.MaxLength)}\n---\n").License);
}

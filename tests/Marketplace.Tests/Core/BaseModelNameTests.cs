using Marketplace.Core;
using Xunit;

namespace Marketplace.Tests.Core;

public sealed class BaseModelNameTests
{
    [Theory]
    [InlineData("gpt2")]
    [InlineData("google/gemma-3-270m-it")]
    [InlineData("gemma3-270m-it")]
    [InlineData("unsloth/meta-llama-3.1-8b-bnb-4bit")]
    [InlineData("TinyLlama/TinyLlama-1.1B-Chat-v1.0")]
    public void Names_of_models_are_identities(string name)
    {
        Assert.True(BaseModelName.TryParse(name, out var parsed));
        Assert.Equal(name, parsed.Text);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("/mnt/workspace/logo-gemma-lora/models/gemma-3-270m-it")]
    [InlineData("/models")]
    [InlineData("./base")]
    [InlineData("../base")]
    [InlineData("~/models/base")]
    [InlineData("~")]
    [InlineData("models/")]
    [InlineData("a/b/c")]
    [InlineData(@"C:\models\base")]
    [InlineData("C:/models")]
    [InlineData(@"models\base")]
    [InlineData(@"D:\DeepLearning\绘图素材\logo-lora-project\gemma3-270m")]
    [InlineData("file:///models/base")]
    [InlineData("https://example.org/base")]
    [InlineData("a b")]
    [InlineData("a--b")]
    [InlineData(".")]
    [InlineData("..")]
    public void Places_are_not(string? name) => Assert.False(BaseModelName.TryParse(name, out _));

    [Fact]
    public void Case_makes_no_difference_but_the_tuned_model_is_another()
    {
        BaseModelName Parse(string text) => BaseModelName.TryParse(text, out var name) ? name : throw new FormatException(text);
        Assert.Equal(Parse("Google/Gemma-3-270M"), Parse("google/gemma-3-270m"));
        Assert.Equal(Parse("Google/Gemma-3-270M").GetHashCode(), Parse("google/gemma-3-270m").GetHashCode());
        Assert.NotEqual(Parse("google/gemma-3-270m"), Parse("google/gemma-3-270m-it"));
        Assert.NotEqual(Parse("google/gemma-3-270m"), Parse("gemma-3-270m"));
    }
}

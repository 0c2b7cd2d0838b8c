using Marketplace.Kernels.Tests.Tokenizers;

namespace Marketplace.Kernels.Tests.Models;

/// <summary>The sample model reads what its tokenizer writes: <c>&lt;s&gt;</c>, then a token for each character.</summary>
public class TokenizedModelTests
{
    [Fact]
    public void Items_are_encoded_as_the_model_was_trained_on_them()
    {
        var tokenizer = TokenizerFixtures.Load("characters");
        Assert.Equal((1, 2, 0), (tokenizer.BeginningId, tokenizer.EndId, tokenizer.PaddingId));
        foreach (var task in TrainedModel.Tasks)
        {
            using var batch = TrainedModel.Batch(task, out var choices);
            Assert.All(choices, choice =>
            {
                var text = tokenizer.Decode(choice.Tokens, true);
                Assert.Equal(choice.Tokens, tokenizer.Encode(text, true));
                Assert.Equal(choice.Tokens[..choice.Start], tokenizer.Encode(text[..(choice.Start - 1)], true));
                Assert.Equal(choice.Tokens[1..], tokenizer.Encode(text, false));
            });
        }
    }

    [Fact]
    public void The_model_has_a_row_for_each_token()
    {
        using var model = TrainedModel.Open();
        Assert.Equal(model.Config.VocabularySize, TokenizerFixtures.Load("characters").Count);
    }
}

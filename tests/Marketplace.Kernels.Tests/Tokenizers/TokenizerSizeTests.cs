using System.Text.Json.Nodes;

namespace Marketplace.Kernels.Tests.Tokenizers;

/// <summary>Long texts without a place to cut end too: nothing is quadratic.</summary>
public class TokenizerSizeTests
{
    private const int Length = 1 << 20;

    [Theory]
    [InlineData("bytelevel_gpt2", "the")]
    [InlineData("bpe_byte_fallback", "日")]
    [InlineData("unigram_metaspace", "the")]
    [InlineData("unigram_metaspace", "日")]
    [InlineData("bytelevel_gpt2", "<|endoftext|")]
    [InlineData("bytelevel_gpt2", "<|endoftext|>")]
    public void A_text_of_a_megabyte_in_one_piece_is_encoded(string family, string repeated)
    {
        var tokenizer = TokenizerFixtures.Load(family);
        var text = string.Concat(Enumerable.Repeat(repeated, Length / repeated.Length));
        var ids = tokenizer.Encode(text, false);
        Assert.NotEmpty(ids);
        if (family is "bytelevel_gpt2")
            Assert.Equal(text, tokenizer.Decode(ids, false));
    }

    [Fact]
    public void Bytes_of_many_unknown_characters_don_t_move_each_other()
    {
        var tokenizer = TokenizerFixtures.Load("unigram_metaspace", json =>
        {
            var vocabulary = json["model"]!["vocab"]!.AsArray();
            for (var b = 0; b < 256; b++)
                vocabulary.Add((JsonNode)new JsonArray($"<0x{b:X2}>", -20.0));
            json["model"]!["byte_fallback"] = true;
        });
        var ids = tokenizer.Encode(string.Concat(Enumerable.Repeat("a日", Length / 4)), false);
        Assert.Equal(1 + Length / 4 * 4, ids.Length + (tokenizer.TokenOf(ids[0]) is "▁a" ? 1 : 0));
    }
}

using System.Text.Json.Nodes;

namespace Marketplace.Kernels.Tests.Tokenizers;

/// <summary>What the files beside tokenizer.json say, read as transformers reads them.</summary>
public class SpecialTokenTests
{
    private const string Config = "tokenizer_config.json";
    private const string Map = "special_tokens_map.json";

    [Fact]
    public void Names_are_texts_or_objects_and_the_map_fills_gaps()
    {
        var tokenizer = TokenizerFixtures.Load(
            "bpe_byte_fallback", _ => { }, (Config, """{"bos_token":{"content":"<s>","lstrip":false},"eos_token":null}"""), (Map, """{"bos_token":"</s>","eos_token":"</s>","pad_token":"<unk>"}"""));
        Assert.Equal((1, 2, 0), (tokenizer.BeginningId, tokenizer.EndId, tokenizer.PaddingId));
    }

    [Fact]
    public void Without_names_the_model_says_ids()
    {
        var tokenizer = TokenizerFixtures.Load("bpe_byte_fallback", _ => { }, ("config.json", """{"bos_token_id":1,"eos_token_id":[2,0],"pad_token_id":null}"""));
        Assert.Equal((1, 2, null), (tokenizer.BeginningId, tokenizer.EndId, tokenizer.PaddingId));
        Assert.Null(TokenizerFixtures.Load("bpe_byte_fallback").BeginningId);
    }

    [Theory]
    [InlineData("""{"bos_token":"<s>","eos_token":"</s>"}""", "<s> ▁a")]
    [InlineData("""{"bos_token":"<s>","eos_token":"</s>","add_bos_token":false}""", "▁a")]
    [InlineData("""{"bos_token":"<s>","eos_token":"</s>","add_eos_token":true}""", "▁a </s>")]
    [InlineData("""{"bos_token":"<s>","eos_token":"</s>","add_bos_token":true,"add_eos_token":true}""", "<s> ▁a </s>")]
    [InlineData("""{"eos_token":"</s>","add_bos_token":true,"add_eos_token":true}""", "▁a </s>")]
    public void A_stated_beginning_or_end_takes_the_place_of_the_template(string config, string tokens)
    {
        var tokenizer = TokenizerFixtures.Load("bpe_byte_fallback", _ => { }, (Config, config));
        Assert.Equal(tokens, string.Join(' ', tokenizer.EncodeWithOffsets("a", true).Tokens));
        Assert.Equal("▁a", string.Join(' ', tokenizer.EncodeWithOffsets("a", false).Tokens));
    }

    [Fact]
    public void A_name_that_no_token_has_is_a_token_behind_the_others()
    {
        var tokenizer = TokenizerFixtures.Load("bpe_byte_fallback", _ => { }, (Config, """{"pad_token":"<pad>"}"""));
        Assert.Equal((900, 901), (tokenizer.PaddingId, tokenizer.Count));
        Assert.Contains(900, tokenizer.Encode("a<pad>", false));
    }

    [Fact]
    public void Further_added_tokens_come_from_the_configuration()
    {
        var tokenizer = TokenizerFixtures.Load(
            "bpe_byte_fallback", _ => { }, (Config, """{"added_tokens_decoder":{"900":{"content":"<tool>","special":false,"normalized":false},"1":{"content":"<s>","special":true,"normalized":false}},"extra_special_tokens":["<x>"]}"""));
        Assert.Equal((900, 901), (tokenizer.Find("<tool>"), tokenizer.Find("<x>")));
        Assert.Equal((false, true), (tokenizer.IsSpecial(900), tokenizer.IsSpecial(901)));
        Assert.Equal([900, 901, 1], tokenizer.Encode("<tool><x><s>", false));
        Assert.Equal(900, TokenizerFixtures.Load("bpe_byte_fallback", _ => { }, (Config, """{"extra_special_tokens":{"image_token":"<image>"}}""")).Find("<image>"));
    }

    [Fact]
    public void Bert_and_roberta_put_a_token_on_both_sides()
    {
        foreach (var type in new[] { "BertProcessing", "RobertaProcessing" })
        {
            var tokenizer = TokenizerFixtures.Load("bytelevel_gpt2", json => json["post_processor"] =
                new JsonObject { ["type"] = type, ["cls"] = new JsonArray("<|endoftext|>", 0), ["sep"] = new JsonArray("<|pad|>", 1), ["trim_offsets"] = false, ["add_prefix_space"] = false });
            Assert.Equal([0, tokenizer.Find("a")!.Value, 1], tokenizer.Encode("a", true));
            Assert.Equal([(0, 0), (0, 1), (0, 0)], tokenizer.EncodeWithOffsets("a", true).Offsets);
        }
    }

    [Fact]
    public void Trimmed_offsets_leave_out_white_space_but_not_a_space_that_was_added()
    {
        var trimmed = TokenizerFixtures.Load("bytelevel_gpt2", json => (json["post_processor"]!["trim_offsets"], json["post_processor"]!["add_prefix_space"]) = (true, false));
        Assert.Equal([(1, 3), (3, 5), (5, 6), (7, 7), (8, 9)], trimmed.EncodeWithOffsets(" Hello  a", false).Offsets);
        var added = TokenizerFixtures.Load("bytelevel_gpt2", json => (json["post_processor"]!["trim_offsets"], json["pre_tokenizer"]!["add_prefix_space"]) = (true, true));
        Assert.Equal([(0, 2), (2, 4), (4, 5), (6, 7)], added.EncodeWithOffsets("Hello a", false).Offsets);
    }
}

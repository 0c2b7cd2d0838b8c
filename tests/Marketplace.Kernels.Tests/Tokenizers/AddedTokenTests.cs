using System.Text.Json.Nodes;
using Marketplace.Kernels.Tokenizers;

namespace Marketplace.Kernels.Tests.Tokenizers;

/// <summary>Tokens found in the text as it is.</summary>
public class AddedTokenTests
{
    [Theory]
    [InlineData("a<m>b", "a|<m>|b", "0-1|1-4|4-5")]
    [InlineData("a <m> b", "a|Ġ|<m>|Ġb", "0-1|1-2|2-5|5-7")]
    [InlineData("<m><m>", "<m>|<m>", "0-3|3-6")]
    [InlineData("<m", "<|m", "0-1|1-2")]
    [InlineData("😀<m>", "ð|Ł|ĺ|Ģ|<m>", "0-1|0-1|0-1|0-1|1-4")]
    public void A_token_is_found_wherever_it_stands(string text, string tokens, string offsets) => Check(text, tokens, offsets, ("<m>", _ => { }));

    [Fact]
    public void White_space_on_a_side_that_is_stripped_belongs_to_the_token()
    {
        Check("a \n<m> b", "a| \n<m>|Ġb", "0-1|1-6|6-8", ("<m>", t => t["lstrip"] = true));
        Check("a <m>\u00A0 b", "a|Ġ|<m>\u00A0 |b", "0-1|1-2|2-7|7-8", ("<m>", t => t["rstrip"] = true));
        Check("<m> <m>", "<m> |<m>", "0-4|4-7", ("<m>", t => (t["lstrip"], t["rstrip"]) = (true, true)));
    }

    [Fact]
    public void A_single_word_is_not_found_inside_another()
    {
        Check("cat cats cat", "cat|Ġc|a|ts|Ġ|cat", "0-3|3-5|5-6|6-8|8-9|9-12", ("cat", t => t["single_word"] = true));
        // A letter beyond U+FFFF is part of a word, an emoji is none.
        Check("𐐀cat", "ð|Ĳ|Ĳ|Ģ|c|a|t", null, ("cat", t => t["single_word"] = true));
        Check("😀cat", "ð|Ł|ĺ|Ģ|cat", null, ("cat", t => t["single_word"] = true));
    }

    [Fact]
    public void At_one_place_the_longest_token_counts() => Check("<m><n>", "<m><|n|>", null, ("<m>", _ => { }), ("<m><", _ => { }));

    [Fact]
    public void A_normalized_token_is_found_in_its_normalized_form()
    {
        var tokenizer = Load(json => json["normalizer"] = JsonNode.Parse("""{"type":"Lowercase"}"""), ("<M>", t => t["normalized"] = true), ("<N>", t => t["normalized"] = false));
        Assert.Equal(["x", "<m>", "<n>", "<m>"], tokenizer.EncodeWithOffsets("X<m><N><M>", false).Tokens.Select(t => t.ToLowerInvariant()));
        Assert.DoesNotContain(tokenizer.Find("<N>")!.Value, tokenizer.Encode("<n>", false));
        Assert.Equal(tokenizer.Encode("<M>", false), tokenizer.Encode("<m>", false));
    }

    [Fact]
    public void Decoding_leaves_out_special_tokens_only()
    {
        var tokenizer = Load(_ => { }, ("<m>", t => t["special"] = true), ("<n>", t => t["special"] = false));
        var ids = tokenizer.Encode("a<m>b<n>c", false);
        Assert.Equal("ab<n>c", tokenizer.Decode(ids, true));
        Assert.Equal("a<m>b<n>c", tokenizer.Decode(ids, false));
        Assert.True(tokenizer.IsSpecial(tokenizer.Find("<m>")!.Value));
        Assert.False(tokenizer.IsSpecial(tokenizer.Find("<n>")!.Value));
    }

    [Fact]
    public void Ids_that_no_token_has_leave_no_trace()
    {
        var tokenizer = TokenizerFixtures.Load("bytelevel_gpt2");
        Assert.Equal("a", tokenizer.Decode([-1, tokenizer.Find("a")!.Value, tokenizer.Count, int.MaxValue], false));
        Assert.Null(tokenizer.TokenOf(tokenizer.Count));
        Assert.Null(tokenizer.Find("no such token"));
    }

    private static void Check(string text, string tokens, string? offsets, params (string Content, Action<JsonObject> Change)[] added)
    {
        var made = Load(_ => { }, added).EncodeWithOffsets(text, false);
        Assert.Equal(tokens, string.Join('|', made.Tokens));
        if (offsets is not null)
            Assert.Equal(offsets, string.Join('|', made.Offsets.Select(o => $"{o.Start}-{o.End}")));
    }

    private static Tokenizer Load(Action<JsonObject> change, params (string Content, Action<JsonObject> Change)[] added) => TokenizerFixtures.Load("bytelevel_gpt2", json =>
    {
        change(json);
        foreach (var (content, set) in added)
        {
            var list = json["added_tokens"]!.AsArray();
            JsonObject token = new() { ["id"] = 756 + list.Count, ["content"] = content, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = true };
            set(token);
            list.Add((JsonNode)token);
        }
    });
}

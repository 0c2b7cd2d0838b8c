using System.Text.Json;

namespace Marketplace.Kernels.Tests.Tokenizers;

/// <summary>Every text of every family, as the tokenizers library recorded it.</summary>
public class TokenizerFixtureTests
{
    public static TheoryData<string> Families => [.. TokenizerFixtures.Families];

    [Theory]
    [MemberData(nameof(Families))]
    public void Ids_tokens_and_offsets_are_those_of_the_reference(string family)
    {
        var tokenizer = TokenizerFixtures.Load(family);
        Assert.All(TokenizerFixtures.Cases(family), c =>
        {
            var made = tokenizer.EncodeWithOffsets(c.Text("text"), false);
            Assert.Equal(c.Ids("ids"), made.Ids);
            Assert.Equal(c.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()), made.Tokens);
            Assert.Equal(c.GetProperty("offsets").EnumerateArray().Select(o => (o[0].GetInt32(), o[1].GetInt32())), made.Offsets);
        });
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Ids_without_offsets_are_the_same_with_special_tokens_and_without(string family)
    {
        var tokenizer = TokenizerFixtures.Load(family);
        Assert.All(TokenizerFixtures.Cases(family), c =>
        {
            Assert.Equal(c.Ids("ids"), tokenizer.Encode(c.Text("text"), false));
            Assert.Equal(c.Ids("ids_with_special"), tokenizer.Encode(c.Text("text"), true));
            Assert.Equal(c.Ids("ids_with_special"), tokenizer.EncodeWithOffsets(c.Text("text"), true).Ids);
        });
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Decoded_texts_are_those_of_the_reference(string family)
    {
        var tokenizer = TokenizerFixtures.Load(family);
        Assert.All(TokenizerFixtures.Cases(family), c =>
        {
            Assert.Equal(c.Text("decoded"), tokenizer.Decode(c.Ids("ids"), false));
            Assert.Equal(c.Text("decoded_skip_special"), tokenizer.Decode(c.Ids("ids_with_special"), true));
        });
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void As_many_tokens_are_counted_as_the_reference_counts(string family)
    {
        using var expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(TokenizerFixtures.Folder(family), "expected.json")));
        var tokenizer = TokenizerFixtures.Load(family);
        Assert.Equal(expected.RootElement.GetProperty("vocab_size").GetInt32(), tokenizer.Count);
        Assert.All(Enumerable.Range(0, tokenizer.Count), id => Assert.Equal(id, tokenizer.Find(tokenizer.TokenOf(id)!)));
    }
}

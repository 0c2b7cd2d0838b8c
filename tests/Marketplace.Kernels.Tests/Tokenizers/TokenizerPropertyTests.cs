using System.Text;
using CsCheck;

namespace Marketplace.Kernels.Tests.Tokenizers;

/// <summary>What holds for every text.</summary>
public class TokenizerPropertyTests
{
    private static readonly Gen<string> Points = Gen.OneOf(
        Gen.Int[0, 0x7F], Gen.Int[0, 0x2FF], Gen.Int[0, 0xD7FF], Gen.Int[0xE000, 0x10FFFF], Gen.Int[0, 6].Select(i => (int)"  \n'st1"[i])).Select(p => new Rune(p).ToString());

    private static readonly Gen<string> Texts = Points.Array[0, 40].Select(string.Concat);

    // Any UTF-16 code units, halves of pairs included.
    private static readonly Gen<string> Units = Gen.OneOf(Gen.Char, Gen.Char['\uD700', '\uE0FF'], Gen.Char['a', 'z']).Array[0, 40].Select(u => new string(u));

    [Fact]
    public void Byte_level_ids_decode_to_the_text()
    {
        var tokenizer = TokenizerFixtures.Load("bytelevel_gpt2");
        Texts.Sample(text => Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text, true), false)), iter: 2000);
    }

    [Fact]
    public void A_surrogate_without_its_other_half_is_a_replacement_character()
    {
        var tokenizer = TokenizerFixtures.Load("bytelevel_gpt2");
        Units.Sample(text => Assert.Equal(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)), tokenizer.Decode(tokenizer.Encode(text, true), false)), iter: 2000);
    }

    [Fact]
    public void Byte_level_offsets_partition_the_text_but_for_bytes_of_one_character()
    {
        var tokenizer = TokenizerFixtures.Load("bytelevel_gpt2");
        Texts.Sample(
            text =>
            {
                var offsets = tokenizer.EncodeWithOffsets(text, false).Offsets;
                var at = 0;
                foreach (var (start, end) in offsets)
                {
                    // A token goes on where the last one ended, or stands for more bytes of its last character.
                    Assert.InRange(start, at - 1, at);
                    Assert.InRange(end, Math.Max(at, start + 1), int.MaxValue);
                    at = end;
                }

                Assert.Equal(text.EnumerateRunes().Count(), at);
            },
            iter: 2000);
    }

    [Fact]
    public void A_token_for_each_character_has_that_character_as_its_range()
    {
        var tokenizer = TokenizerFixtures.Load("characters");
        Gen.Char[' ', '~'].Array[0, 50].Select(u => new string(u)).Sample(
            text =>
            {
                var made = tokenizer.EncodeWithOffsets(text, false);
                Assert.Equal(made.Tokens, made.Offsets.Select(o => text[o.Start..o.End]));
            },
            iter: 500);
    }

    [Theory]
    [InlineData("bytelevel_split")]
    [InlineData("bpe_byte_fallback")]
    [InlineData("unigram_metaspace")]
    public void Ranges_run_forward_inside_the_text_and_ids_need_no_ranges(string family)
    {
        var tokenizer = TokenizerFixtures.Load(family);
        Texts.Sample(
            text =>
            {
                var made = tokenizer.EncodeWithOffsets(text, false);
                Assert.Equal(made.Ids, tokenizer.Encode(text, false));
                var points = text.EnumerateRunes().Count();
                Assert.All(made.Offsets, o => Assert.True(o.Start >= 0 && o.Start <= o.End && o.End <= points));
            },
            iter: 1000);
    }

    [Fact]
    public void Byte_fallback_gives_back_every_text_without_visible_spaces()
    {
        var tokenizer = TokenizerFixtures.Load("bpe_byte_fallback");
        Texts.Where(t => !t.Contains('▁')).Sample(text => Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text, true), true)), iter: 2000);
    }

    [Fact]
    public void Threads_share_a_tokenizer()
    {
        var tokenizer = TokenizerFixtures.Load("bytelevel_split");
        var texts = Enumerable.Range(0, 200).Select(i => $"text {i} of {i * i} words, it's the same {(char)('a' + i % 26)}{i % 7}").ToList();
        var alone = texts.Select(t => tokenizer.Encode(t, true)).ToList();
        var shared = TokenizerFixtures.Load("bytelevel_split");
        Parallel.For(0, 8, new ParallelOptions { CancellationToken = TestContext.Current.CancellationToken }, _ => Assert.Equal(alone, texts.Select(t => shared.Encode(t, true))));
    }
}

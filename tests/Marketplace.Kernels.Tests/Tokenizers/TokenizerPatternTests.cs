using Marketplace.Kernels.Tokenizers;

namespace Marketplace.Kernels.Tests.Tokenizers;

/// <summary>Regular expressions of tokenizers mean what Oniguruma takes them for; their effect on whole texts is in <see cref="TokenizerPieceTests"/>.</summary>
public class TokenizerPatternTests
{
    [Theory]
    [InlineData(@"\p{L}+", "a𐐀𐐨b1𝐀", "a𐐀𐐨b|𝐀")]
    [InlineData(@"\p{Lu}", "aA𐐀𐐨𝐀", "A|𐐀|𝐀")]
    [InlineData(@"\p{N}{1,3}", "12𝟏𝟏𝟏", "12𝟏|𝟏𝟏")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?\p{L}+", "😀abc", "😀abc")]
    [InlineData(@"[^\s\p{L}]+", "😀😀a👍", "😀😀|👍")]
    [InlineData(@"\P{L}", "𐐀1😀", "1|😀")]
    [InlineData(".", "😀\na", "😀|a")]
    [InlineData(@"\w+", "🄰b½_ c", "🄰b½_|c")]
    [InlineData(@"[\w]+", "b½c", "b|c")]
    [InlineData("(?i:'s|k)", "'ſ 'S K k", "'ſ|'S|K|k")]
    [InlineData("(?i:a)b", "AB Ab", "Ab")]
    [InlineData(@"a++b|.", "aab", "aab")]
    [InlineData(@"a?+a|b", "ab", "b")]
    [InlineData(@"(?:ab){2}+", "ababababab", "abababab")]
    [InlineData("a{,2}b", "aaab", "aab")]
    [InlineData(@"^.|.$", "ab\ncd", "a|b|c|d")]
    [InlineData(@"\s+(?!\S)|\s+", "a   b", "  | ")]
    [InlineData(@"[\x41-\u0043\t-]", "ABCD-\t", "A|B|C|-|\t")]
    public void Matches_are_those_of_the_reference(string pattern, string text, string matches)
    {
        var made = RegexPattern.TryCreate(pattern, out var reason);
        Assert.True(made is not null, reason);
        List<Match> found = [];
        made.Find(text, found);
        Assert.Equal(matches, string.Join('|', found.Select(m => text[m.Start..m.End])));
    }

    [Theory]
    [InlineData("")]
    [InlineData("(")]
    [InlineData(")")]
    [InlineData("[")]
    [InlineData("*")]
    [InlineData("a**")]
    [InlineData(@"(a)\1")]
    [InlineData("(?<name>a)")]
    [InlineData("(?i)a")]
    [InlineData("(?i:ss)")]
    [InlineData("(?i:é)")]
    [InlineData(@"(?i:\p{Lu})")]
    [InlineData("[a&&b]")]
    [InlineData("[a[b]]")]
    [InlineData("[]a]")]
    [InlineData("[[:alpha:]]")]
    [InlineData(@"[\W]")]
    [InlineData(@"\p{Han}")]
    [InlineData(@"\x{1F600}")]
    [InlineData("😀")]
    [InlineData("a{1001}")]
    [InlineData(@"\G")]
    [InlineData(@"\R")]
    [InlineData("[b-a]")]
    [InlineData("a|b\\")]
    public void What_might_mean_something_else_is_refused(string pattern)
    {
        Assert.Null(RegexPattern.TryCreate(pattern, out var reason));
        Assert.NotEmpty(reason);
    }

    [Fact]
    public void Expressions_without_lookarounds_can_t_be_made_to_backtrack()
    {
        var pattern = RegexPattern.TryCreate("(?:(?:x+x+)+)+y", out _)!;
        List<Match> found = [];
        pattern.Find(new string('x', 100_000), found);
        Assert.Empty(found);
    }

    [Fact]
    public void Expressions_that_backtrack_for_ever_are_stopped()
    {
        var pattern = RegexPattern.TryCreate("(?:x|xx|xxx)+(?![xyz])", TimeSpan.FromMilliseconds(50), out _)!;
        Assert.ThrowsAny<TimeoutException>(() => pattern.Find(new string('x', 100) + "y", []));
    }
}

using System.Globalization;
using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>A step from tokens back to text; what is left at the end is joined.</summary>
internal abstract class Decoder
{
    /// <summary>How many times as long a text may become, at most.</summary>
    public virtual double Growth => 1;

    public abstract List<string> Apply(List<string> tokens);
}

/// <summary>One after the other.</summary>
internal sealed class DecoderSequence(IReadOnlyList<Decoder> steps) : Decoder
{
    public override double Growth => steps.Aggregate(1.0, (growth, step) => growth * step.Growth);

    public override List<string> Apply(List<string> tokens) => steps.Aggregate(tokens, (t, step) => step.Apply(t));
}

/// <summary>Each token by itself, given its place.</summary>
internal sealed class TokenwiseDecoder(Func<string, int, int, string> decode, double growth = 1) : Decoder
{
    public override double Growth => growth;

    /// <summary>Visible spaces become spaces; in the first token they vanish where <paramref name="prepends"/> says that one was put in front.</summary>
    public static TokenwiseDecoder Metaspace(string replacement, bool prepends) =>
        new((token, index, _) => token.Replace(replacement, prepends && index == 0 ? "" : " ", StringComparison.Ordinal));

    /// <summary>Up to so many of a character off the ends of every token.</summary>
    public static TokenwiseDecoder Strip(Rune content, int start, int stop) => new((token, _, _) =>
    {
        var runes = token.EnumerateRunes().ToList();
        var first = runes.Take(start).TakeWhile(r => r == content).Count();
        var last = runes.Count - Enumerable.Reverse(runes).Take(Math.Min(stop, runes.Count - first)).TakeWhile(r => r == content).Count();
        return string.Concat(runes[first..last]);
    });

    /// <summary>Matches become another text.</summary>
    public static TokenwiseDecoder Replace(TextPattern pattern, string content) => new(
        (token, _, _) =>
        {
            List<Match> matches = [];
            pattern.Find(token, matches);
            StringBuilder made = new();
            var copied = 0;
            foreach (var (start, end) in matches)
            {
                made.Append(token, copied, start - copied).Append(content);
                copied = end;
            }

            return made.Append(token, copied, token.Length - copied).ToString();
        },
        pattern.Growth(content));

    /// <summary>A space in front of each token but the first, unless it continues a word.</summary>
    public static TokenwiseDecoder WordPiece(string prefix, bool cleans) => new(
        (token, index, _) =>
        {
            var word = index == 0 ? token : token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
            return cleans ? Clean(word) : word;
        },
        2);

    /// <summary>The mark at the end of a word becomes a space.</summary>
    public static TokenwiseDecoder WordEnds(string suffix) =>
        new((token, index, count) => token.Replace(suffix, index + 1 == count ? "" : " ", StringComparison.Ordinal));

    public override List<string> Apply(List<string> tokens) => [.. tokens.Select((token, i) => decode(token, i, tokens.Count))];

    private static string Clean(string text)
    {
        (string From, string To)[] rules =
        [
            (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
        ];
        return rules.Aggregate(text, (t, rule) => t.Replace(rule.From, rule.To, StringComparison.Ordinal));
    }
}

/// <summary>All tokens as one.</summary>
internal sealed class FuseDecoder : Decoder
{
    public override List<string> Apply(List<string> tokens) => [string.Concat(tokens)];
}

/// <summary>Letters become the bytes they stand for and these, all together, text; a token with other characters counts as its own UTF-8. What is no UTF-8 becomes U+FFFD.</summary>
internal sealed class ByteLevelDecoder : Decoder
{
    public override List<string> Apply(List<string> tokens)
    {
        List<byte> bytes = [];
        foreach (var token in tokens)
        {
            if (token.All(c => ByteLetters.ByteOf(c) >= 0))
                bytes.AddRange(token.Select(c => (byte)ByteLetters.ByteOf(c)));
            else
                bytes.AddRange(Encoding.UTF8.GetBytes(token));
        }

        return [Encoding.UTF8.GetString([.. bytes])];
    }
}

/// <summary>Tokens such as <c>&lt;0xE2&gt;</c> in a row become text, or one U+FFFD each where they are no UTF-8.</summary>
internal sealed class ByteFallbackDecoder : Decoder
{
    private static readonly UTF8Encoding Strict = new(false, true);

    public override List<string> Apply(List<string> tokens)
    {
        List<string> made = [];
        List<byte> bytes = [];
        foreach (var token in tokens)
        {
            if (token is ['<', '0', 'x', _, _, '>'] && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            {
                bytes.Add(value);
                continue;
            }

            Flush(bytes, made);
            made.Add(token);
        }

        Flush(bytes, made);
        return made;
    }

    private static void Flush(List<byte> bytes, List<string> made)
    {
        if (bytes.Count == 0)
            return;
        try
        {
            made.Add(Strict.GetString([.. bytes]));
        }
        catch (DecoderFallbackException)
        {
            made.AddRange(Enumerable.Repeat("\uFFFD", bytes.Count));
        }

        bytes.Clear();
    }
}

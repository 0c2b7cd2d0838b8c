using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>Where a pattern matched, in UTF-16 code units.</summary>
internal readonly record struct Match(int Start, int End);

/// <summary>What a tokenizer's file searches texts for: a fixed text, a regular expression, or characters of a class.</summary>
internal abstract class TextPattern
{
    /// <summary>Adds the matches from left to right, which don't overlap.</summary>
    public abstract void Find(ReadOnlySpan<char> text, List<Match> into);

    /// <summary>How many times as long a text becomes at most when matches are replaced: an empty one may lie before every character.</summary>
    public virtual double Growth(string content) => 1 + content.Length;
}

/// <summary>A fixed text.</summary>
internal sealed class LiteralPattern(string literal) : TextPattern
{
    public override double Growth(string content) => Math.Max(1, (double)content.Length / literal.Length);

    public override void Find(ReadOnlySpan<char> text, List<Match> into)
    {
        for (var from = 0; from <= text.Length - literal.Length;)
        {
            var at = text[from..].IndexOf(literal, StringComparison.Ordinal);
            if (at < 0)
                return;
            into.Add(new(from + at, from + at + literal.Length));
            from += at + literal.Length;
        }
    }
}

/// <summary>Each character of a class, by itself.</summary>
internal sealed class ClassPattern(Func<Rune, bool> contains) : TextPattern
{
    public override void Find(ReadOnlySpan<char> text, List<Match> into)
    {
        for (var i = 0; i < text.Length;)
        {
            Rune.DecodeFromUtf16(text[i..], out var rune, out var length);
            if (contains(rune))
                into.Add(new(i, i + length));
            i += length;
        }
    }
}

/// <summary>
/// A regular expression over code points. .NET's work on UTF-16, where a letter beyond U+FFFF is two surrogates and no letter; so such characters are replaced, for matching only, by one
/// code unit of the same general category that the expression does not name, and matches are carried back.
/// </summary>
internal sealed class RegexPattern : TextPattern
{
    private readonly Regex _regex;
    private readonly char[] _stands;
    private readonly char _circled;

    private RegexPattern(Regex regex, char[] stands, char circled) => (_regex, _stands, _circled) = (regex, stands, circled);

    /// <summary>Translates and compiles an expression of Oniguruma's syntax; null and the reason where that can't be done faithfully.</summary>
    public static RegexPattern? TryCreate(string pattern, out string reason) => TryCreate(pattern, TokenizerLimits.MatchTime, out reason);

    /// <summary>The same with a limit of its own for one match.</summary>
    public static RegexPattern? TryCreate(string pattern, TimeSpan matchTime, out string reason)
    {
        var translation = OnigTranslation.Of(pattern);
        if (translation.Problem is { } problem)
        {
            reason = problem;
            return null;
        }

        try
        {
            var options = RegexOptions.CultureInvariant | (translation.Backtracks ? RegexOptions.Compiled : RegexOptions.NonBacktracking);
            var regex = new Regex(translation.Pattern, options, matchTime);
            reason = "";
            return Represent(translation.Named, out var stands, out var circled)
                ? new(regex, stands, circled)
                : Refuse("The expression names every character of some category, so that none is left to stand for those beyond U+FFFF.", out reason);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return Refuse($"The expression can't be compiled: {e.Message}", out reason);
        }
    }

    /// <exception cref="TimeoutException">One match took longer than the limit.</exception>
    public override void Find(ReadOnlySpan<char> text, List<Match> into)
    {
        if (!text.ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            Collect(text, into);
            return;
        }

        var buffer = System.Buffers.ArrayPool<char>.Shared.Rent(text.Length);
        try
        {
            var points = 0;
            foreach (var rune in text.EnumerateRunes())
                buffer[points++] = rune.IsBmp ? (char)rune.Value : Stand(rune);
            var first = into.Count;
            Collect(buffer.AsSpan(0, points), into);
            CarryBack(text, into, first);
        }
        finally
        {
            System.Buffers.ArrayPool<char>.Shared.Return(buffer);
        }
    }

    private void Collect(ReadOnlySpan<char> text, List<Match> into)
    {
        var last = -1;
        foreach (var match in _regex.EnumerateMatches(text))
        {
            var end = match.Index + match.Length;
            // An empty match right behind another is none for the reference.
            if (match.Length > 0 || match.Index != last)
                into.Add(new(match.Index, end));
            last = end;
        }
    }

    // Counts of code points become counts of code units.
    private static void CarryBack(ReadOnlySpan<char> text, List<Match> matches, int first)
    {
        int point = 0, unit = 0;
        for (var i = first; i < matches.Count; i++)
        {
            var start = Advance(text, ref point, ref unit, matches[i].Start);
            matches[i] = new(start, Advance(text, ref point, ref unit, matches[i].End));
        }
    }

    private static int Advance(ReadOnlySpan<char> text, ref int point, ref int unit, int target)
    {
        for (; point < target; point++)
            unit += char.IsHighSurrogate(text[unit]) ? 2 : 1;
        return unit;
    }

    private char Stand(Rune rune) => Characters.IsAlphabeticSymbol(rune.Value) ? _circled : _stands[(int)Characters.Category(rune.Value)];

    private static bool Represent(HashSet<char> named, out char[] stands, out char circled)
    {
        stands = new char[(int)UnicodeCategory.OtherNotAssigned + 1];
        circled = default;
        for (var unit = '\uFFFD'; unit > '\u00FF'; unit--)
        {
            if (named.Contains(unit))
                continue;
            if (Characters.IsAlphabeticSymbol(unit))
                circled = unit;
            else if (!char.IsSurrogate(unit))
                stands[(int)char.GetUnicodeCategory(unit)] = unit;
        }

        // No character beyond U+FFFF separates lines or paragraphs, controls, or is a surrogate.
        return circled != default && !stands.Where((unit, category) => unit == default && (UnicodeCategory)category is not (UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator or UnicodeCategory.Control or UnicodeCategory.Surrogate)).Any();
    }

    private static RegexPattern? Refuse(string why, out string reason)
    {
        reason = why;
        return null;
    }
}

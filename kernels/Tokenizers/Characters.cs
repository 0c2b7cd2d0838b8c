using System.Globalization;
using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>The classes of characters that tokenizers distinguish, over whole code points.</summary>
internal static class Characters
{
    // Circled and squared letters are symbols, yet alphabetic.
    private const int FirstCircled = 0x24B6;
    private const int LastCircled = 0x24E9;

    /// <summary>The general category as <c>\p{...}</c> names it.</summary>
    public static UnicodeCategory Category(int point) => CharUnicodeInfo.GetUnicodeCategory(point);

    /// <summary>White_Space.</summary>
    public static bool IsSpace(Rune rune) => Rune.IsWhiteSpace(rune);

    /// <summary>What <c>\w</c> matches: alphabetic characters, marks, decimal digits and connecting punctuation, and for some readers the two joiners.</summary>
    public static bool IsWord(Rune rune, bool withJoiners) => Category(rune.Value) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter
            or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation
            or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => true,
        UnicodeCategory.OtherSymbol => IsAlphabeticSymbol(rune.Value),
        _ => withJoiners && rune.Value is 0x200C or 0x200D,
    };

    /// <summary>Symbols that are alphabetic all the same.</summary>
    public static bool IsAlphabeticSymbol(int point) =>
        point is (>= FirstCircled and <= LastCircled) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    /// <summary>A number of any kind, decimal or not.</summary>
    public static bool IsNumber(Rune rune) =>
        Category(rune.Value) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>Punctuation of any kind, and the symbols of ASCII.</summary>
    public static bool IsPunctuation(Rune rune) => rune.Value switch
    {
        (>= '!' and <= '/') or (>= ':' and <= '@') or (>= '[' and <= '`') or (>= '{' and <= '~') => true,
        var code => code >= 0x80 && NormalizationData.IsPunctuation(code),
    };

    /// <summary>A combining mark of any kind.</summary>
    public static bool IsMark(Rune rune) => NormalizationData.IsMark(rune.Value);

    /// <summary>The character that ends before <paramref name="end"/>; null at the beginning.</summary>
    public static Rune? Before(ReadOnlySpan<char> text, int end) =>
        end > 0 && Rune.DecodeLastFromUtf16(text[..end], out var rune, out _) is System.Buffers.OperationStatus.Done ? rune : null;

    /// <summary>The character that starts at <paramref name="start"/>; null at the end.</summary>
    public static Rune? At(ReadOnlySpan<char> text, int start) =>
        start < text.Length && Rune.DecodeFromUtf16(text[start..], out var rune, out _) is System.Buffers.OperationStatus.Done ? rune : null;

    /// <summary>The text with U+FFFD in place of every surrogate that lacks its other half, as UTF-8 would have it.</summary>
    public static string WithoutLoneSurrogates(string text)
    {
        var at = LoneSurrogate(text, 0);
        if (at < 0)
            return text;
        var units = text.ToCharArray();
        for (; at >= 0; at = LoneSurrogate(units, at + 1))
            units[at] = '\uFFFD';
        return new(units);
    }

    private static int LoneSurrogate(ReadOnlySpan<char> text, int from)
    {
        for (var i = from; i < text.Length; i++)
        {
            var next = text[i..].IndexOfAnyInRange('\uD800', '\uDFFF');
            if (next < 0)
                return -1;
            i += next;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                i++;
            else
                return i;
        }

        return -1;
    }
}

using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>A bracketed class of characters, and the escapes that stand for one; part of <see cref="OnigTranslation"/>.</summary>
internal sealed class OnigClass
{
    private static readonly (string Name, string Category)[] LongNames =
    [
        ("letter", "L"), ("mark", "M"), ("number", "N"), ("punctuation", "P"), ("symbol", "S"), ("separator", "Z"),
        ("uppercaseletter", "Lu"), ("lowercaseletter", "Ll"), ("titlecaseletter", "Lt"), ("decimalnumber", "Nd"),
    ];

    private static readonly FrozenDictionary<string, string> Categories =
        "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp Cc Cf Co Cn".Split(' ').Select(c => (Name: c.ToLowerInvariant(), Category: c))
            .Concat(LongNames).ToFrozenDictionary(c => c.Name, c => c.Category, StringComparer.Ordinal);

    private readonly StringBuilder _inside = new();
    private readonly bool _negated;

    /// <summary>Reads on from behind the opening bracket.</summary>
    public OnigClass(string source, ref int at, bool ignoreCase, OnigTranslation whole)
    {
        if (at < source.Length && source[at] is '^')
        {
            _negated = true;
            at++;
        }

        var first = at;
        while (whole.Problem is null)
        {
            if (at >= source.Length)
                whole.Refuse("an unmatched [");
            else if (source[at] is ']' && at > first)
                break;
            else if (source[at] is '[' or ']')
                whole.Refuse("a bracket inside a class");
            else if (source[at] is '&' && at + 1 < source.Length && source[at + 1] is '&')
                whole.Refuse("an intersection of classes");
            else if (source[at] is '-' && at > first && at + 1 < source.Length && source[at + 1] is not ']')
                whole.Refuse("a - inside a class that makes no range");
            else
                Item(source, ref at, ignoreCase, whole);
        }

        at++;
    }

    public void Write(StringBuilder into) => into.Append(_negated ? "[^" : "[").Append(_inside).Append(']');

    private void Item(string source, ref int at, bool ignoreCase, OnigTranslation whole)
    {
        if (source[at] is '\\' && at + 1 < source.Length && source[at + 1] is 's' or 'S' or 'd' or 'D' or 'w' or 'W' or 'h' or 'H' or 'p' or 'P' && source[at] is '\\')
        {
            var single = source[at + 1];
            var (inside, negated) = ReadClass(source, ref at, ignoreCase, whole);
            if (!negated)
                _inside.Append(inside);
            else if (single is 'S' or 'D')
                _inside.Append('\\').Append(single);
            else if (single is 'P' or 'p' && inside.StartsWith(@"\p", StringComparison.Ordinal))
                _inside.Append(@"\P").Append(inside.AsSpan(2));
            else
                whole.Refuse($"\\{single} inside a class");
            return;
        }

        if (ReadOne(source, ref at, whole) is not { } from)
            return;
        var to = from;
        if (at + 1 < source.Length && source[at] is '-' && source[at + 1] is not ']')
        {
            at++;
            if (source[at] is '\\' && at + 1 < source.Length && char.IsAsciiLetter(source[at + 1]) && source[at + 1] is not ('x' or 'u' or 't' or 'n' or 'r' or 'f' or 'v' or 'a' or 'e'))
            {
                whole.Refuse("a range up to a class");
                return;
            }

            if (ReadOne(source, ref at, whole) is not { } last)
                return;
            to = last;
        }

        if (to < from)
            whole.Refuse("a range that runs backwards");
        else if (ignoreCase && to > from && to >= 0x80)
            whole.Refuse("a range beyond ASCII without regard to case");
        else if (!ignoreCase)
            Range(from, to, whole);
        else
            for (var unit = from; unit <= to; unit++)
                _inside.AppendJoin("", Variants(unit, true, whole).Select(OnigTranslation.Code));
    }

    private void Range(char from, char to, OnigTranslation whole)
    {
        // Surrogates can only be the inside of a range, and then the text has none: its other characters have taken their place.
        for (int unit = from; unit <= to; unit++)
            whole.Named.Add((char)unit);
        _inside.Append(OnigTranslation.Code(from));
        if (to > from)
            _inside.Append('-').Append(OnigTranslation.Code(to));
    }

    private static char? ReadOne(string source, ref int at, OnigTranslation whole)
    {
        if (source[at] is '\\')
            return ReadEscaped(source, ref at, whole);
        if (char.IsSurrogate(source[at]))
            whole.Refuse("a character beyond U+FFFF");
        return source[at++];
    }

    /// <summary>The inside of the class that an escape such as <c>\s</c> or <c>\p{L}</c> at <paramref name="at"/> means, and whether it is all others.</summary>
    public static (string Inside, bool Negated) ReadClass(string source, ref int at, bool ignoreCase, OnigTranslation whole)
    {
        var kind = source[at + 1];
        at += 2;
        switch (kind)
        {
            case 's' or 'S':
                return (@"\s", kind is 'S');
            case 'd' or 'D':
                return (@"\d", kind is 'D');
            case 'w' or 'W':
                return (OnigTranslation.WordInClass, kind is 'W');
            case 'h' or 'H':
                return ("0-9A-Fa-f", kind is 'H');
        }

        var close = at < source.Length && source[at] is '{' ? source.IndexOf('}', at) : -1;
        if (close < 0)
        {
            whole.Refuse("a \\p without a name");
            return ("", false);
        }

        var name = source[(at + 1)..close];
        at = close + 1;
        var negated = kind is 'P';
        if (name.StartsWith('^'))
        {
            negated = !negated;
            name = name[1..];
        }

        name = name.Replace("_", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal).ToLowerInvariant();
        if (!Categories.TryGetValue(name, out var category))
            whole.Refuse($"a \\p{{{name}}}, which is no general category");
        else if (ignoreCase && category is "Lu" or "Ll" or "Lt")
            whole.Refuse("a case that is to be disregarded");
        return ($@"\p{{{category}}}", negated);
    }

    /// <summary>The one character that an escape at <paramref name="at"/> means.</summary>
    public static char? ReadEscaped(string source, ref int at, OnigTranslation whole)
    {
        if (at + 1 >= source.Length)
        {
            whole.Refuse("a \\ at the end");
            return null;
        }

        var kind = source[at + 1];
        at += 2;
        switch (kind)
        {
            case 't':
                return '\t';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'e':
                return '\u001B';
            case 'u':
                return Hex(source, ref at, 4, whole);
            case 'x' when at < source.Length && source[at] is '{':
                var close = source.IndexOf('}', at);
                at++;
                var code = close < 0 ? null : Hex(source, ref at, close - at, whole);
                at = close + 1;
                return code;
            case 'x':
                return Hex(source, ref at, 2, whole);
            case var other when !char.IsLetterOrDigit(other) && other < 0x80:
                return other;
            default:
                whole.Refuse($"\\{kind}");
                return null;
        }
    }

    /// <summary>What a literal matches: itself or, without regard to case, all letters that fold to the same. Those are named from then on.</summary>
    public static char[] Variants(char unit, bool ignoreCase, OnigTranslation whole)
    {
        if (char.IsSurrogate(unit))
            whole.Refuse("a character beyond U+FFFF");
        char[] variants = [unit];
        if (ignoreCase && char.IsAsciiLetter(unit))
            variants = char.ToLowerInvariant(unit) switch
            {
                // The long s and the sign for kelvin fold to ASCII.
                's' => ['s', 'S', '\u017F'],
                'k' => ['k', 'K', '\u212A'],
                var lower => [lower, char.ToUpperInvariant(lower)],
            };
        else if (ignoreCase && unit >= 0x80 && (char.IsLetter(unit) || char.ToLowerInvariant(unit) != unit || char.ToUpperInvariant(unit) != unit))
            whole.Refuse("a letter beyond ASCII without regard to case");
        whole.Named.UnionWith(variants);
        return variants;
    }

    private static char? Hex(string source, ref int at, int length, OnigTranslation whole)
    {
        if (length is > 0 and <= 8 && at + length <= source.Length
            && int.TryParse(source.AsSpan(at, length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code) && code is > 0 and <= 0xFFFF && !char.IsSurrogate((char)code))
        {
            at += length;
            return (char)code;
        }

        whole.Refuse("a code that is no character up to U+FFFF");
        return null;
    }
}

using System.Globalization;
using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>
/// An expression of Oniguruma's syntax, in which tokenizers are written, as one of .NET's over characters of one code unit each. Only what is known to mean the same is let through: everything
/// else is a problem, never a guess.
/// </summary>
internal sealed class OnigTranslation
{
    // Oniguruma's \w inside a class, without the two joiners; by itself, and at boundaries, it has the numbers of Latin-1 as well.
    internal const string WordInClass = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9";
    private const string Word = WordInClass + @"\u00B2\u00B3\u00B9\u00BC-\u00BE";

    // Pairs of letters that a single character folds to (ß, ﬀ, ﬁ, ﬂ, ﬆ): Oniguruma would match that character too.
    private static readonly HashSet<string> FoldedPairs = ["ss", "st", "ff", "fi", "fl"];

    private readonly string _source;
    private readonly StringBuilder _made = new();
    private int _at;
    private int _depth;

    private OnigTranslation(string source) => _source = source;

    /// <summary>The expression for .NET.</summary>
    public string Pattern { get; private set; } = "";

    /// <summary>Why there is none.</summary>
    public string? Problem { get; private set; }

    /// <summary>Whether it needs lookarounds or atomic groups, which only a backtracking matcher has.</summary>
    public bool Backtracks { get; private set; }

    /// <summary>Every character that the expression names by itself or in a range.</summary>
    public HashSet<char> Named { get; } = [];

    public static OnigTranslation Of(string source)
    {
        var translation = new OnigTranslation(source);
        if (source.Length is 0 or > TokenizerLimits.PatternLength)
            translation.Problem = "The expression is empty or too long.";
        else
            translation.Run();
        return translation;
    }

    private void Run()
    {
        Alternatives(false);
        if (Problem is null && _at < _source.Length)
            Refuse("an unmatched )");
        Pattern = _made.ToString();
    }

    private char Here => _at < _source.Length ? _source[_at] : '\0';

    private void Alternatives(bool ignoreCase)
    {
        if (++_depth > 32)
            Refuse("groups nested too deeply");
        Sequence(ignoreCase);
        while (Problem is null && Here is '|' && _at < _source.Length)
        {
            _made.Append('|');
            _at++;
            Sequence(ignoreCase);
        }

        _depth--;
    }

    private void Sequence(bool ignoreCase)
    {
        var before = '\0';
        while (Problem is null && _at < _source.Length && Here is not ('|' or ')'))
        {
            var start = _made.Length;
            var letter = Atom(ignoreCase);
            if (ignoreCase && FoldedPairs.Contains($"{before}{letter}"))
                Refuse($"{before}{letter} without regard to case, which other letters fold to");
            before = letter;
            if (Problem is null)
                Quantifier(start);
        }
    }

    // Gives the lower-case letter that was read, so that pairs can be seen; NUL for anything else.
    private char Atom(bool ignoreCase)
    {
        switch (Here)
        {
            case '(':
                Group(ignoreCase);
                return '\0';
            case '[':
                _at++;
                new OnigClass(_source, ref _at, ignoreCase, this).Write(_made);
                return '\0';
            case '.':
                _at++;
                _made.Append(@"[^\n]");
                return '\0';
            case '^':
                _at++;
                Assertion(@"(?:\A|(?<=\n)(?!\z))");
                return '\0';
            case '$':
                _at++;
                Assertion(@"(?=\n|\z)");
                return '\0';
            case '*' or '+' or '?' or '{':
                Refuse($"a quantifier without anything before it");
                return '\0';
            case '\\':
                return Escape(ignoreCase);
            default:
                return Literal(_source[_at++], ignoreCase);
        }
    }

    private void Group(bool ignoreCase)
    {
        (string From, string To, bool Backtracks, bool IgnoreCase)[] kinds =
        [
            ("(?:", "(?:", false, ignoreCase), ("(?i:", "(?:", false, true), ("(?-i:", "(?:", false, false), ("(?=", "(?=", true, ignoreCase), ("(?!", "(?!", true, ignoreCase),
            ("(?<=", "(?<=", true, ignoreCase), ("(?<!", "(?<!", true, ignoreCase), ("(?>", "(?>", true, ignoreCase), ("(?", "", false, false), ("(", "(?:", false, ignoreCase),
        ];
        var kind = kinds.First(k => _source.AsSpan(_at).StartsWith(k.From));
        if (kind.To.Length == 0)
        {
            Refuse("a group of a kind other than (?:), (?i:), (?-i:), (?>) and lookarounds");
            return;
        }

        _at += kind.From.Length;
        _made.Append(kind.To);
        Backtracks |= kind.Backtracks;
        Alternatives(kind.IgnoreCase);
        if (Problem is not null)
            return;
        if (Here is not ')' || _at >= _source.Length)
            Refuse("an unmatched (");
        _at++;
        _made.Append(')');
    }

    private char Escape(bool ignoreCase)
    {
        if (_at + 1 >= _source.Length)
        {
            Refuse("a \\ at the end");
            return '\0';
        }

        switch (_source[_at + 1])
        {
            case 'A' or 'z':
                _made.Append('\\').Append(_source[_at + 1]);
                Backtracks = true;
                _at += 2;
                return '\0';
            case 'b':
                _at += 2;
                Assertion($"(?:(?<=[{Word}])(?![{Word}])|(?<![{Word}])(?=[{Word}]))");
                return '\0';
            case 'B':
                _at += 2;
                Assertion($"(?:(?<=[{Word}])(?=[{Word}])|(?<![{Word}])(?![{Word}]))");
                return '\0';
            case 's' or 'S' or 'd' or 'D' or 'w' or 'W' or 'h' or 'H' or 'p' or 'P':
                var (inside, negated) = OnigClass.ReadClass(_source, ref _at, ignoreCase, this);
                _made.Append(negated ? "[^" : "[").Append(inside == WordInClass ? Word : inside).Append(']');
                return '\0';
            default:
                return OnigClass.ReadEscaped(_source, ref _at, this) is { } unit ? Literal(unit, ignoreCase) : '\0';
        }
    }

    private char Literal(char unit, bool ignoreCase)
    {
        var variants = OnigClass.Variants(unit, ignoreCase, this);
        if (variants.Length == 1)
            _made.Append(Code(unit));
        else
            _made.Append('[').AppendJoin("", variants.Select(Code)).Append(']');
        return ignoreCase && char.IsAsciiLetter(unit) ? char.ToLowerInvariant(unit) : '\0';
    }

    private void Assertion(string made)
    {
        _made.Append(made);
        Backtracks = true;
    }

    private void Quantifier(int start)
    {
        switch (Here)
        {
            case '*' or '+' or '?' when _at < _source.Length:
                _made.Append(_source[_at++]);
                if (Here is '+' && _at < _source.Length)
                {
                    // Possessive: what has been matched is not given back.
                    _made.Insert(start, "(?>").Append(')');
                    Backtracks = true;
                    _at++;
                }
                else if (Here is '?' && _at < _source.Length)
                    _made.Append(_source[_at++]);
                break;
            case '{':
                Interval(start);
                break;
            default:
                return;
        }

        if (Problem is null && _at < _source.Length && Here is '*' or '+' or '?' or '{')
            Refuse("a quantifier on a quantifier");
    }

    private void Interval(int start)
    {
        var close = _source.IndexOf('}', _at);
        var bounds = close < 0 ? [] : _source[(_at + 1)..close].Split(',');
        var least = 0;
        var most = -1;
        if (bounds.Length is not (1 or 2) || bounds is [""] or ["", ""] || (bounds[0].Length > 0 && !Count(bounds[0], out least)) || (bounds[^1].Length > 0 && !Count(bounds[^1], out most))
            || (most >= 0 && most < least))
        {
            Refuse("a { that is no interval up to 1000");
            return;
        }

        _made.Append(bounds.Length == 1 ? $"{{{least}}}" : $"{{{least},{(most < 0 ? "" : most.ToString(CultureInfo.InvariantCulture))}}}");
        _at = close + 1;
        if (bounds.Length == 2 && Here is '?' && _at < _source.Length)
            _made.Append(_source[_at++]);
        else if (Here is '+' && _at < _source.Length)
        {
            // Not possessive in this syntax: the interval, once or more often.
            _made.Insert(start, "(?:").Append(")+");
            _at++;
        }

        static bool Count(string text, out int count) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count <= 1000;
    }

    internal void Refuse(string what) => Problem ??= $"The expression has {what} at {_at}, which is not translated.";

    internal static string Code(char unit) => $"\\u{(int)unit:X4}";
}

using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Marketplace.Core.Formats;

/// <summary>
/// A regular expression as PEFT's configurations hold them, in Python's syntax. Strangers write them, so matching has a time limit,
/// for one match and for all that share a budget.
/// </summary>
internal sealed class PythonPattern
{
    private const int MaxLength = 10_000;

    private static readonly TimeSpan PerMatch = TimeSpan.FromMilliseconds(100);

    private readonly string key;
    private readonly Regex? regex;

    private PythonPattern(string key, Regex? regex) => (this.key, this.regex) = (key, regex);

    /// <summary>Reads a key of a pattern dictionary: it matches names of which it matches the end, from the start or a dot on: <c>^(.*\.)?(KEY)$</c>.</summary>
    public static bool TryEnding(string key, [NotNullWhen(true)] out PythonPattern? pattern)
    {
        // Most keys are names or paths, for which comparing text does the same, a hundred times faster.
        pattern = key.Length > 0 && key.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.') ? new PythonPattern(key, null) : null;
        return pattern is not null || TryCompile(key, $@"^(.*\.)?({key})$", out pattern);
    }

    /// <summary>Reads an expression that must match a whole name.</summary>
    public static bool TryWhole(string expression, [NotNullWhen(true)] out PythonPattern? pattern) =>
        TryCompile(expression, $@"\A(?:{expression})\z", out pattern);

    /// <summary>Reads an expression whose first group is wanted, matched from the start of a name.</summary>
    public static bool TryPrefix(string expression, [NotNullWhen(true)] out PythonPattern? pattern) =>
        TryCompile(expression, $@"\A(?:{expression})", out pattern);

    /// <summary>Whether the name matches.</summary>
    /// <exception cref="RegexMatchTimeoutException">The match, or the budget, ran out of time.</exception>
    public bool IsMatch(string name, MatchBudget budget) =>
        regex is null ? IsEnding(name) : budget.Spend(regex, name, static (r, n) => r.IsMatch(n));

    /// <summary>The first group's text in a match from the start of the name; null without a match.</summary>
    /// <exception cref="RegexMatchTimeoutException">The match, or the budget, ran out of time.</exception>
    public string? FirstGroup(string name, MatchBudget budget) =>
        budget.Spend(regex!, name, static (r, n) => r.Match(n) is { Success: true } match ? match.Groups[1].Value : null);

    private bool IsEnding(string name)
    {
        var start = name.Length - key.Length;
        if (start < 0 || (start > 0 && name[start - 1] != '.'))
            return false;
        for (var i = 0; i < key.Length; i++)
        {
            // A dot stands for any character; names have no line breaks.
            if (key[i] != '.' && key[i] != name[start + i])
                return false;
        }

        return true;
    }

    private static bool TryCompile(string key, string expression, [NotNullWhen(true)] out PythonPattern? pattern)
    {
        pattern = null;
        if (key.Length > MaxLength)
            return false;
        try
        {
            // Python's spelling of named groups; the rest of what configurations use is common to both.
            var translated = expression.Replace("(?P<", "(?<", StringComparison.Ordinal);
            pattern = new PythonPattern(key, new Regex(translated, RegexOptions.CultureInvariant, PerMatch));
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}

/// <summary>The time that all matches of one adapter may take together: many slow matches are as bad as an endless one.</summary>
internal sealed class MatchBudget
{
    private static readonly TimeSpan Total = TimeSpan.FromSeconds(2);

    private long spent;

    public T Spend<T>(Regex regex, string name, Func<Regex, string, T> match)
    {
        if (Interlocked.Read(ref spent) > Total.Ticks)
            throw new RegexMatchTimeoutException(name, regex.ToString(), Total);
        var start = Stopwatch.GetTimestamp();
        try
        {
            return match(regex, name);
        }
        finally
        {
            Interlocked.Add(ref spent, Stopwatch.GetElapsedTime(start).Ticks);
        }
    }
}

using System.Collections.Immutable;

namespace Marketplace.Core.Formats;

/// <summary>
/// Which modules an adapter names: a list of names or name endings, a regular expression over whole names, or every linear layer.
/// </summary>
public sealed class ModuleSelector
{
    private ModuleSelector(ImmutableArray<string> names, string? pattern, bool allLinear) =>
        (Names, Pattern, IsAllLinear) = (names, pattern, allLinear);

    /// <summary>The value <c>"all-linear"</c>.</summary>
    public static ModuleSelector AllLinear { get; } = new([], null, true);

    /// <summary>The names in the order given, repetitions included; empty for other kinds.</summary>
    public ImmutableArray<string> Names { get; }

    /// <summary>The regular expression in Python's syntax; null for other kinds.</summary>
    public string? Pattern { get; }

    /// <summary>Whether it stands for every linear layer but the output head.</summary>
    public bool IsAllLinear { get; }

    /// <summary>A list of names or name endings.</summary>
    public static ModuleSelector List(IEnumerable<string> names) => new([.. names], null, false);

    /// <summary>A string of the configuration: <c>all-linear</c>, or a regular expression.</summary>
    public static ModuleSelector FromString(string text) =>
        string.Equals(text, "all-linear", StringComparison.OrdinalIgnoreCase) ? AllLinear : new([], text, false);
}

/// <summary>One entry of <c>rank_pattern</c> or <c>alpha_pattern</c>; their order matters.</summary>
/// <param name="Key">A regular expression in Python's syntax, matched against the end of a module's name.</param>
/// <param name="Value">The rank or alpha of the modules it matches.</param>
public sealed record PatternValue<T>(string Key, T Value);

using System.Text.RegularExpressions;
using Marketplace.Core;

namespace Marketplace.Functions.Collections;

/// <summary>Names of many results from one pattern, such as <c>{name}-residual</c>.</summary>
internal static partial class NamePattern
{
    /// <summary>The name for one set of values; with a reason instead where it can't be one.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="owner">The account that the names are for.</param>
    /// <param name="values">What each placeholder stands for.</param>
    public static (AdapterId? Name, string? Problem) Expand(string pattern, string owner, IReadOnlyDictionary<string, string> values)
    {
        if (Placeholder().Matches(pattern).Select(m => m.Groups[1].Value).FirstOrDefault(p => !values.ContainsKey(p)) is { } unknown)
            return (null, $"The pattern has no use for '{{{unknown}}}'; it may hold {string.Join(" and ", values.Keys.Select(k => $"{{{k}}}"))}.");
        var name = Placeholder().Replace(pattern, m => values[m.Groups[1].Value]);
        return AdapterId.TryCreate(owner, name, out var id) ? (id, null) : (null, $"The pattern makes '{name}', which can't be an adapter's name.");
    }

    [GeneratedRegex(@"\{([^{}]*)\}")]
    private static partial Regex Placeholder();
}

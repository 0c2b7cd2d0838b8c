using System.Globalization;

namespace Marketplace.Functions.Hub;

/// <summary>Query parameters and paths as the clients write them.</summary>
internal static class HubQuery
{
    /// <summary>Whether a flag is set: <c>true</c>, <c>True</c> and <c>1</c> all occur.</summary>
    public static bool Flag(IQueryCollection query, string name) => query[name] is [{ } value] && (value == "1" || string.Equals(value, "true", StringComparison.OrdinalIgnoreCase));

    /// <summary>How many items a page may have: a wish, which is cut to what the service gives.</summary>
    public static int Limit(IQueryCollection query, int ordinary, int most) =>
        query["limit"] is [{ } text] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit > 0 ? Math.Min(limit, most) : ordinary;

    /// <summary>Members asked for by <c>expand</c>, which Python repeats and others write with brackets.</summary>
    public static IReadOnlySet<string> Expand(IQueryCollection query) =>
        query["expand"].Concat(query["expand[]"]).OfType<string>().ToHashSet(StringComparer.Ordinal);

    /// <summary>A path of a catch-all, in which ASP.NET leaves %2F as it was sent.</summary>
    public static string Path(string? path) => (path ?? "").Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
}

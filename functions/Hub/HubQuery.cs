namespace Marketplace.Functions.Hub;

/// <summary>Query parameters as the clients write them.</summary>
internal static class HubQuery
{
    /// <summary>Whether a flag is set: <c>true</c>, <c>True</c> and <c>1</c> all occur.</summary>
    public static bool Flag(IQueryCollection query, string name) => query[name] is [{ } value] && (value == "1" || string.Equals(value, "true", StringComparison.OrdinalIgnoreCase));
}

using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Http;

/// <summary>Page sizes.</summary>
internal static class Paging
{
    private const int DefaultLimit = 50;

    /// <summary>The page size asked for, or null if it can't be.</summary>
    public static int? ParseLimit(string? limit, int max) => limit switch
    {
        null => Math.Min(DefaultLimit, max),
        _ when int.TryParse(limit, out var count) && count >= 1 && count <= max => count,
        _ => null,
    };

    public static ProblemHttpResult BadLimit(int max) => Problems.InvalidRequest("limit", $"limit is a number from 1 to {max}.");
}

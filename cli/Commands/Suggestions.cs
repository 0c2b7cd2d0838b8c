using Marketplace.Cli.Client;

namespace Marketplace.Cli.Commands;

/// <summary>What the user may have meant.</summary>
internal static class Suggestions
{
    private const int MostListed = 500;

    /// <summary>What to try instead of the adapters that the command line names, or null if it names none or they exist.</summary>
    public static async Task<string?> ForAdapters(Call call, CancellationToken ct)
    {
        if (call.Mentioned.Count == 0)
            return null;
        try
        {
            var existing = new List<string>();
            await foreach (var adapter in call.Connect().ListAdapters(new AdapterFilter(), ct))
            {
                existing.Add(adapter.Id);
                if (existing.Count == MostListed)
                    break;
            }

            var unknown = call.Mentioned.Where(m => !existing.Contains(m.Id.ToString(), StringComparer.OrdinalIgnoreCase)).ToList();
            if (unknown.Count == 0)
                return call.Mentioned.FirstOrDefault(m => m.Revision is not null) is { Revision: not null } m ? $"`marketplace show {m.Id}` lists its versions." : null;
            var meant = unknown.Select(m => Nearest(m.Id.ToString(), existing)).OfType<string>().Distinct().ToList();
            return meant.Count > 0 ? $"Did you mean {string.Join(" or ", meant)}?" : "`marketplace list` shows what there is.";
        }
        catch (Exception e) when (e is HttpRequestException or ApiException or CliException)
        {
            return null;
        }
    }

    /// <summary>The candidate with the fewest edits, if there are few: at most a third of the text's length.</summary>
    public static string? Nearest(string text, IEnumerable<string> candidates)
    {
        var best = candidates.Select(c => (Name: c, Distance: Distance(text, c))).DefaultIfEmpty((Name: "", Distance: int.MaxValue)).MinBy(c => c.Distance);
        return best.Distance <= Math.Max(1, text.Length / 3) ? best.Name : null;
    }

    // Levenshtein's distance without case, one row at a time.
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var substitution = diagonal + (char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[^1];
    }
}

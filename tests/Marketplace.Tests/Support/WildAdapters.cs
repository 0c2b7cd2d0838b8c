using Xunit;

namespace Marketplace.Tests.Support;

/// <summary>
/// Real adapters that the repository may not contain: their folder is named by MARKETPLACE_WILD_ADAPTERS. Without it tests on them are
/// skipped, but not under CI=true.
/// </summary>
internal static class WildAdapters
{
    private const string Variable = "MARKETPLACE_WILD_ADAPTERS";

    /// <summary>The rows of CATALOGUE.tsv: an adapter's folder, the verdict it must get, and the codes that explain it.</summary>
    public static IReadOnlyList<WildAdapter> Catalogue()
    {
        var lines = File.ReadAllLines(Path.Combine(Folder(), "CATALOGUE.tsv"));
        var columns = lines[0].Split('\t');
        var (slug, verdict, because) = (Array.IndexOf(columns, "slug"), Array.IndexOf(columns, "verdict"), Array.IndexOf(columns, "because"));
        return [.. lines.Skip(1).Where(line => line.Length > 0).Select(line => line.Split('\t')).Select(cells => new WildAdapter(
            Path.Combine(Folder(), cells[slug]), cells[verdict] == "accept",
            [.. cells[because].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(code => code.Split(' ')[0])]))];
    }

    /// <summary>The folder; the test is skipped, or under CI fails, where there is none.</summary>
    public static string Folder()
    {
        var folder = Environment.GetEnvironmentVariable(Variable);
        if (folder is not null && Directory.Exists(folder))
            return folder;
        var reason = folder is null ? $"{Variable} is not set." : $"{Variable} names a folder that is not there.";
        if (Environment.GetEnvironmentVariable("CI") == "true")
            Assert.Fail(reason + " Under CI real adapters are not optional.");
        Assert.Skip(reason);
        return folder!;
    }
}

/// <summary>One real adapter and what must be said of it.</summary>
/// <param name="Folder">Where it lies.</param>
/// <param name="IsAccepted">Whether it must be accepted.</param>
/// <param name="Because">The codes that explain the verdict, warnings and notes written as <c>warn:CODE</c> and <c>info:CODE</c>.</param>
internal sealed record WildAdapter(string Folder, bool IsAccepted, IReadOnlyList<string> Because)
{
    public string Name => Path.GetFileName(Folder);
}

using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Output;

/// <summary>How the API's records look as tables.</summary>
internal static class Tables
{
    /// <summary>An empty table with the given column titles.</summary>
    public static Table Create(params ReadOnlySpan<string> columns)
    {
        var table = new Table { Border = TableBorder.Rounded };
        foreach (var column in columns)
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))));
        return table;
    }

    /// <summary>Adds a row of plain texts; null is an empty cell.</summary>
    public static Table Row(this Table table, params ReadOnlySpan<string?> cells)
    {
        var texts = new List<Text>(cells.Length);
        foreach (var cell in cells)
            texts.Add(new Text(cell ?? ""));
        return table.AddRow(texts);
    }

    /// <summary>Findings with code, place and message, errors first.</summary>
    /// <param name="issues">The findings.</param>
    /// <param name="most">How many of one code are shown; a broken file often has the same defect in each of its tensors. <c>--json</c> lists all.</param>
    public static Table Issues(IEnumerable<IssueView> issues, int most = 5)
    {
        var table = Create("severity", "code", "place", "message");
        foreach (var group in issues.GroupBy(i => (i.Severity, i.Code)).OrderBy(g => g.Key.Severity switch { "error" => 0, "warning" => 1, _ => 2 }))
        {
            var colour = group.Key.Severity switch { "error" => Color.Red, "warning" => Color.Yellow, _ => Color.Grey };
            foreach (var issue in group.Take(most))
                table.AddRow(new Text(issue.Severity, new Style(colour)), new Text(issue.Code), new Text(issue.Path ?? ""), new Text(issue.Message));
            if (group.Count() > most)
                table.Row("", group.Key.Code, "", $"… and {group.Count() - most} more like this");
        }

        return table;
    }

    /// <summary>A list of adapters.</summary>
    public static Table Adapters(IEnumerable<AdapterView> adapters)
    {
        var table = Create("adapter", "version", "base model", "rank", "modules", "dtype", "size", "made by", "notes");
        foreach (var a in adapters)
        {
            table.Row(
                a.Id, a.Main is { } main ? $"{main.Number}" : "", a.BaseModel ?? $"{a.BaseModelName} (unresolved)", $"{a.Rank}", $"{a.Modules}", a.Dtype,
                Units.Bytes(a.SizeBytes), a.DerivedBy ?? "training", Notes(a));
        }

        return table;
    }

    /// <summary>A version in a few characters: <c>owner/name@3</c>.</summary>
    public static string Name(VersionReference version) => $"{version.Adapter}@{version.Number}";

    private static string Notes(AdapterView a) =>
        string.Join(", ", [.. a.Private ? ["private"] : Array.Empty<string>(), .. a.Listed ? [] : new[] { "unlisted" }, .. a.Takedown is { } t ? new[] { $"taken down ({t.Reason})" } : [], .. a.Warnings]);
}

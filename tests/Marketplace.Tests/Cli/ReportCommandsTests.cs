using System.Text.Json;
using System.Xml.Linq;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>The commands that tell about merges, before and after, over HTTP on a running stack.</summary>
public sealed class ReportCommandsTests(UpFixture fixture) : IClassFixture<UpFixture>
{
    private readonly CliProcess cli = fixture.Cli;

    [Fact]
    public async Task Adapters_are_compared_merged_and_their_merge_and_lineage_shown()
    {
        foreach (var name in new[] { "copy", "sort" })
            await Ok("publish", Path.Combine(Fixtures.Repository, "samples", "library", name));

        var view = await Ok("compare", "ada/copy", "ada/sort@1", "--rank", "4");
        Assert.Equal(1, view.GetProperty("report").GetProperty("pairs").GetArrayLength());
        Assert.Equal(4, view.GetProperty("report").GetProperty("sum").GetProperty("kept")[0].GetProperty("rank").GetInt32());
        var table = await Text("compare", "ada/copy", "ada/sort");
        Assert.All(new[] { "ada/copy@1", "ada/sort@1", "cosine", "same sign", "crosstalk", "equal mean", "not legal advice", "mit" }, t => Assert.Contains(t, table));

        await Ok("merge", "ada/copy", "ada/sort=0.5", "-o", "both", "--rank", "4");
        var report = (await Ok("show", "ada/both", "--merge-report")).GetProperty("mergeReport");
        Assert.Equal(["ada/copy", "ada/sort"], report.GetProperty("parents").EnumerateArray().Select(p => p.GetProperty("versions")[0].GetProperty("adapter").GetString()));
        var shown = await Text("show", "ada/both", "--merge-report");
        Assert.All(new[] { "share of the result", "modules that lost most", "merged by", "→ 4" }, t => Assert.Contains(t, shown));
        Assert.False((await Ok("show", "ada/both")).TryGetProperty("mergeReport", out _));

        var file = Path.Combine(cli.Home, "lineage.svg");
        Assert.Equal(3, (await Ok("lineage", "ada/both", "--svg", file)).GetProperty("nodes").GetArrayLength());
        Assert.Equal("svg", XDocument.Load(file).Root!.Name.LocalName);
        var tree = await Text("lineage", "ada/both");
        Assert.Contains("ada/both@1, merge by linear", tree);
        Assert.Matches(@"├── ×1\.000 input\s+ada/copy@1, trained", tree);
        Assert.Matches(@"└── ×0\.500 input\s+ada/sort@1, trained", tree);
    }

    [Fact]
    public async Task A_comparison_of_one_is_bad_usage_and_of_none_that_exists_is_refused_with_advice()
    {
        Assert.Equal(2, (await cli.Run("compare", "ada/copy")).ExitCode);
        await Ok("publish", Path.Combine(Fixtures.Repository, "samples", "library", "reverse"));
        var run = await cli.Run("compare", "ada/reverse", "ada/revers");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("Did you mean ada/reverse?", run.Errors);
        Assert.Equal(5, (await cli.Run("show", "ada/reverse", "--merge-report")).ExitCode);
    }

    private async Task<JsonElement> Ok(params string[] arguments)
    {
        var run = await cli.Run([.. arguments, "--json"]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', arguments)}: {run}");
        return run.Json;
    }

    private async Task<string> Text(params string[] arguments)
    {
        var run = await cli.Run(arguments);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', arguments)}: {run}");
        return run.Output;
    }
}

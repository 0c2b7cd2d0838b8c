using System.Text.Json;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>What the command line tells of analyses, neighbours and copies, on a running stack.</summary>
public sealed class AnalysisCommandsTests(UpFixture fixture) : IClassFixture<UpFixture>
{
    private readonly CliProcess cli = fixture.Cli;

    [Fact]
    public async Task Publishing_showing_and_searching_tell_what_an_adapter_is_like()
    {
        string Sample(string name) => Path.Combine(Fixtures.Repository, "samples", "library", name);
        var first = await Ok("publish", Sample("copy"));
        Assert.Equal("add", first.GetProperty("novelty").GetProperty("verdict").GetString());
        Assert.Equal(1, first.GetProperty("novelty").GetProperty("novelty").GetDouble());
        Assert.Contains("add: ", await Text("publish", Sample("sort")));
        Assert.Contains("new to the library; the nearest is ada/", await Text("publish", Sample("log")));

        // The same files under another name: its publisher is told twice, by the finding and by the verdict.
        var copy = await Text("publish", Sample("copy"), "copied");
        Assert.All(new[] { "same-content", "reuse: this adapter is 1.00 of ada/copy@1" }, t => Assert.Contains(t, copy));

        var similar = await Ok("similar", "ada/copied");
        Assert.Equal("ada/copy", similar.GetProperty("items")[0].GetProperty("version").GetProperty("adapter").GetString());
        Assert.Equal("reuse", similar.GetProperty("novelty").GetProperty("verdict").GetString());
        Assert.Equal(1, (await Ok("similar", "ada/copied", "--similarity", "flatAb", "--limit", "1")).GetProperty("items").GetArrayLength());
        Assert.Contains("reuse: this adapter is 1.00 of ada/copy@1", await Text("similar", "ada/copied"));
        Assert.Equal(1, (await cli.Run("similar", "ada/copied", "--similarity", "shape")).ExitCode);

        var analysis = (await Ok("show", "ada/copy", "--analysis")).GetProperty("analysis");
        Assert.True(analysis.GetProperty("norm").GetDouble() > 0);
        Assert.Equal(analysis.GetProperty("modules")[0].GetProperty("rank").GetInt32(), analysis.GetProperty("modules")[0].GetProperty("singularValues").GetArrayLength());
        var table = await Text("show", "ada/copy", "--analysis");
        Assert.All(new[] { "effective rank", "largest σ", "change nothing" }, t => Assert.Contains(t, table));
        Assert.False((await Ok("show", "ada/copy")).TryGetProperty("analysis", out _));
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
        return string.Join(' ', run.Output.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries));
    }
}

using System.Text.Json;
using System.Xml.Linq;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>Takedowns and the audit on the command line, on a running stack.</summary>
public sealed class TakedownCommandTests(UpFixture fixture) : IClassFixture<UpFixture>
{
    private readonly CliProcess cli = fixture.Cli;

    [Fact]
    public async Task An_adapter_goes_shows_in_lineages_and_comes_back()
    {
        foreach (var name in new[] { "copy", "sort" })
            await Ok("publish", Path.Combine(Fixtures.Repository, "samples", "library", name));
        await Ok("subtract", "ada/copy", "-g", "ada/sort", "-o", "rest");

        var taken = await Ok("takedown", "ada/sort", "--reason", "licence", "--message", "Not ours.");
        Assert.Equal("ada/rest@1", taken.GetProperty("flagged")[0].GetString());
        var shown = await cli.Run("show", "ada/sort");
        Assert.Equal(1, shown.ExitCode);
        Assert.Contains("was taken down on", shown.Errors);
        Assert.Contains("(licence): Not ours.", shown.Errors);
        Assert.Equal("taken-down", (await cli.Run("show", "ada/sort", "--json")).Json.GetProperty("code").GetString());
        Assert.Contains("made from ada/sort, which was taken down", await Text("show", "ada/rest"));
        var file = Path.Combine(cli.Home, "lineage.svg");
        Assert.Contains("ada/sort@1, taken down", await Text("lineage", "ada/rest", "--svg", file));
        Assert.Contains(XDocument.Load(file).Descendants(), e => e.Attribute("class")?.Value == "down");
        Assert.DoesNotContain("ada/sort", await Text("list"));
        Assert.Contains("taken down (licence)", await Text("list", "--taken-down"));
        Assert.Contains("descendants flag", await Text("takedown", "ada/sort"));

        var events = (await Ok("audit", "--subject", "ada/sort")).GetProperty("items").EnumerateArray().Select(e => e.GetProperty("action").GetString());
        Assert.DoesNotContain("takedown", events); // an admin did that, and ada is none
        Assert.Contains("publish", await Text("audit", "--action", "publish", "--limit", "2"));

        Assert.False((await Ok("restore", "ada/sort")).GetProperty("stillDown").GetBoolean());
        Assert.Equal(0, (await cli.Run("show", "ada/sort")).ExitCode);
        Assert.Equal(5, (await cli.Run("restore", "ada/sort")).ExitCode);
        Assert.Equal(2, (await cli.Run("takedown", "ada/sort", "--reason", "boredom")).ExitCode);
    }

    [Fact]
    public async Task An_adapter_is_deleted_by_who_says_so()
    {
        await Ok("publish", Path.Combine(Fixtures.Repository, "samples", "library", "reverse"));
        // Nobody answers the question.
        var asked = await cli.Run("delete", "ada/reverse");
        Assert.Equal(1, asked.ExitCode);
        Assert.Contains("Delete ada/reverse", asked.Errors);
        Assert.Contains("on vLLM", await Text("show", "ada/reverse"));

        Assert.Contains("ada/reverse is deleted", await Text("delete", "ada/reverse", "--yes"));
        Assert.Equal(5, (await cli.Run("show", "ada/reverse")).ExitCode);
        Assert.Equal(5, (await cli.Run("delete", "ada/reverse", "--yes")).ExitCode);
        Assert.Equal(2, (await cli.Run("delete", "ada/reverse@1", "--yes")).ExitCode);
        await Ok("publish", Path.Combine(Fixtures.Repository, "samples", "library", "reverse"));
        Assert.True((await Ok("delete", "ada/reverse")).GetProperty("deleted").GetBoolean());
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

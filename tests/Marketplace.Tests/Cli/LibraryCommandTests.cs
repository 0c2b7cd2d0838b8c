using System.Text.Json;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>The commands that work on whole libraries: subtract from many, build from clusters, collections.</summary>
public sealed class LibraryCommandTests(UpFixture fixture) : IClassFixture<UpFixture>
{
    private const string Base = "marketplace/samples-base";

    private readonly CliProcess cli = fixture.Cli;

    [Fact]
    public async Task A_library_is_cleaned_built_collected_and_downloaded()
    {
        foreach (var folder in Directory.GetDirectories(Path.Combine(Fixtures.Repository, "samples", "library")))
            await Ok("publish", folder);

        var batch = await Ok("subtract", "--library", Base, "-g", "ada/log", "ada/prose=2", "--mode", "project", "--side", "both", "--collection", "clean", "--pattern", "{name}-clean");
        Assert.Equal(("subtractionBatch", "succeeded"), (batch.GetProperty("kind").GetString(), batch.GetProperty("status").GetString()));
        string[] residuals = ["addmod-clean", "copy-clean", "last-clean", "reverse-clean", "sort-clean", "upper-clean"];
        Assert.Equal(residuals, Members(batch.GetProperty("result")).Select(m => m.Split('/')[1]));
        Assert.InRange(batch.GetProperty("result").GetProperty("general").GetProperty("share").GetDouble(), 0, 1);
        Assert.Equal("both", batch.GetProperty("request").GetProperty("recipe").GetProperty("parameters").GetProperty("side").GetString());
        var shown = await cli.Run("job", "show", batch.GetProperty("jobId").GetString()!);
        Assert.Contains("ada/sort-clean@1", shown.Output);
        Assert.Contains("of all targets", shown.Output);
        var report = await cli.Run("show", "ada/sort-clean", "--merge-report");
        Assert.Contains("most general modules", report.Output);
        Assert.InRange((await Ok("show", "ada/sort-clean", "--merge-report")).GetProperty("mergeReport").GetProperty("general").GetProperty("energyRemoved").GetDouble(), 0, 1);

        var single = await Ok("subtract", "ada/sort", "-g", "ada/log", "-o", "sort-factors", "--mode", "factorwise");
        Assert.Equal("ada/sort-factors", single.GetProperty("result").GetProperty("version").GetProperty("adapter").GetString());
        var two = await Ok("subtract", "ada/sort", "ada/copy@1", "-g", "ada/log", "--collection", "ada/two", "--private");
        Assert.Equal(["ada/copy-residual", "ada/sort-residual"], Members(two.GetProperty("result")));

        var build = await Ok("build", "--base-model", Base, "--k", "3", "--method", "ties", "-p", "density=0.5", "--rank", "4", "--collection", "ada/library");
        Assert.Equal("libraryBuild", build.GetProperty("kind").GetString());
        Assert.Equal(3, Members(build.GetProperty("result")).Count());
        var snapshot = (await Ok("cluster", Base, "--latest")).GetProperty("id").GetString()!;
        var again = await Ok("build", "--snapshot", snapshot, "--method", "linear", "--weights", "typical", "--collection", "again", "--pattern", "{cluster}-of-{collection}");
        Assert.All(Members(again.GetProperty("result")), m => Assert.EndsWith("-of-again", m, StringComparison.Ordinal));
        var cluster = await Ok("subtract", "--cluster", $"{snapshot}:{again.GetProperty("result").GetProperty("members")[0].GetProperty("label").GetString()}", "-g", "ada/log", "--collection", "of-cluster", "--pattern", "{name}-oc");
        Assert.NotEmpty(Members(cluster.GetProperty("result")));

        var names = (await Ok("collections", "list")).GetProperty("items").EnumerateArray().Select(c => c.GetProperty("id").GetString());
        Assert.Equal(["ada/again", "ada/clean", "ada/library", "ada/of-cluster", "ada/two"], names);
        var clean = await Ok("collections", "show", "ada/clean");
        Assert.Equal(residuals, clean.GetProperty("members").EnumerateArray().Select(m => m.GetProperty("label").GetString()));
        Assert.Contains("sort-clean", (await cli.Run("collections", "show", "ada/clean")).Output);

        var target = Path.Combine(cli.Home, "clean");
        var downloaded = await Ok("download", "--collection", "ada/clean", target, "--rank", "2");
        Assert.Equal(6, downloaded.GetProperty("members").GetArrayLength());
        Assert.Equal(residuals, Directory.GetDirectories(target).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal));
        foreach (var residual in residuals)
            Assert.True((await Ok("validate", Path.Combine(target, residual))).GetProperty("valid").GetBoolean());

        await Ok("collections", "delete", "ada/clean");
        Assert.Equal(5, (await cli.Run("collections", "show", "ada/clean")).ExitCode);
        Assert.Equal(0, (await cli.Run("show", "ada/sort-clean")).ExitCode);

        var refused = await cli.Run("subtract", "ada/sort", "ada/copy", "-g", "ada/log", "--collection", "flat", "--pattern", "same", "--json");
        Assert.Equal((1, "invalid-request"), (refused.ExitCode, refused.Json.GetProperty("code").GetString()));
    }

    [Theory]
    [InlineData("targets, --library or --cluster", "subtract", "-g", "a/g", "-o", "x")]
    [InlineData("targets, --library or --cluster", "subtract", "a/t", "-g", "a/g", "--library", "b/c", "--collection", "x")]
    [InlineData("--mine and --derived", "subtract", "a/t", "-g", "a/g", "--mine", "-o", "x")]
    [InlineData("--collection", "subtract", "a/t", "a/u", "-g", "a/g")]
    [InlineData("--output names the residual of one target", "subtract", "a/t", "a/u", "-g", "a/g", "-o", "x")]
    [InlineData("does not name a cluster", "subtract", "--cluster", "c0", "-g", "a/g", "--collection", "x")]
    [InlineData("--base-model, or --snapshot", "build", "--collection", "x")]
    [InlineData("--collection", "build", "--base-model", "b/c")]
    [InlineData("Did you mean 'ties'", "build", "--base-model", "b/c", "--method", "tie", "--collection", "x")]
    [InlineData("is no parameter", "build", "--base-model", "b/c", "-p", "density", "--collection", "x")]
    [InlineData("collections have no revisions", "collections", "show", "a/b@1")]
    public async Task What_makes_no_sense_is_said_before_anything_is_asked(string words, params string[] arguments)
    {
        var run = await cli.Run(arguments);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(words, run.Errors);
    }

    private async Task<JsonElement> Ok(params string[] arguments)
    {
        var run = await cli.Run([.. arguments, "--json"]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', arguments)}: {run}");
        return run.Json;
    }

    private static IEnumerable<string> Members(JsonElement result) => result.GetProperty("members").EnumerateArray().Select(m => m.GetProperty("version").GetProperty("adapter").GetString()!);
}

using System.Text.Json;
using Marketplace.Tests.BaseModels;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>Base models and evaluations from the command line, on a running stack.</summary>
public sealed class EvaluateCommandTests(UpFixture fixture) : IClassFixture<UpFixture>
{
    private const string Base = "marketplace/samples-base";

    private readonly CliProcess cli = fixture.Cli;

    [Fact]
    public async Task A_base_model_is_registered_and_adapters_are_scored_in_a_table()
    {
        var added = await Ok("base-models", "add", BaseModelFilesOf.SampleFolder, "--id", Base, "--message", "as trained");
        Assert.Equal(("published", 1, BaseModelFilesOf.DigestOf(BaseModelFilesOf.Sample())), (added.GetProperty("state").GetString(), added.GetProperty("number").GetInt32(), added.GetProperty("digest").GetString()));
        Assert.Equal("llama", (await Ok("base-models", "show", Base)).GetProperty("architecture").GetString());
        Assert.Contains("as trained", (await cli.Run("base-models", "show", Base, "--registration", "1")).Output);
        Assert.Contains("llama", (await cli.Run("base-models", "list")).Output);
        var refused = await cli.Run("base-models", "add", Path.Combine(Fixtures.Repository, "samples", "library", "copy"), "--id", Base, "--json");
        Assert.Equal((1, "invalid-base-model"), (refused.ExitCode, refused.Json.GetProperty("code").GetString()));
        Assert.Equal(2, (await cli.Run("base-models", "add", BaseModelFilesOf.SampleFolder, "--id", "gpt2")).ExitCode);

        foreach (var name in new[] { "copy", "sort" })
            await Ok("publish", Path.Combine(Fixtures.Repository, "samples", "library", name));
        await Ok("sets", "publish", Path.Combine(Fixtures.Repository, "samples", "sets", "copy.jsonl"));
        var recipe = Path.Combine(cli.Home, "half.yaml");
        await File.WriteAllTextAsync(recipe, "method: linear\ninputs:\n  - adapter: ada/copy\n    weight: 0.5\n  - adapter: ada/sort\n    weight: 0.5\n", TestContext.Current.CancellationToken);
        string[] asked = ["evaluate", "ada/copy", "--set", "ada/copy", "--base", "--recipe", recipe, "--arrow", "ada/copy", "ada/sort", "--top-k", "1", "--mixture", "ada/copy=2", "ada/sort", "--weighted", "ada/copy", "ada/sort"];
        var job = await Ok(asked);
        var rows = job.GetProperty("result").GetProperty("rows").EnumerateArray().ToDictionary(r => r.GetProperty("subject").GetString()!, r => r.GetProperty("value").GetDouble());
        Assert.Equal((6, 1.0, 0.25), (rows.Count, rows["ada/copy@1"], rows["base model"]));
        var table = await cli.Run(asked);
        Assert.Equal(0, table.ExitCode);
        Assert.Contains("base model", table.Output);
        Assert.Contains("accuracy", table.Output);

        // Two recipes that read alike are two lines.
        var other = Path.Combine(cli.Home, "other.json");
        await File.WriteAllTextAsync(other, """{"method":"linear","inputs":[{"adapter":"ada/copy"},{"adapter":"ada/sort","weight":0.1}]}""", TestContext.Current.CancellationToken);
        var alike = (await cli.Run("evaluate", "--recipe", recipe, other, "--set", "ada/copy")).Output;
        Assert.Equal(2, alike.Split("linear of").Length - 1);

        var library = await Ok("evaluate", "--library", Base, "--set", "ada/copy");
        Assert.Equal((2, 1), (library.GetProperty("result").GetProperty("rows").GetArrayLength(), library.GetProperty("result").GetProperty("reused").GetInt32()));
        foreach (var wrong in new string[][] { ["evaluate", "ada/copy"], ["evaluate", "--set", "ada/copy"], ["evaluate", "ada/copy", "--set", "ada/copy", "--mine"], ["evaluate", "ada/copy", "--set", "ada/copy", "--general", "ada/sort"] })
            Assert.Equal(2, (await cli.Run(wrong)).ExitCode);
    }

    private async Task<JsonElement> Ok(params string[] arguments)
    {
        var run = await cli.Run([.. arguments, "--json"]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', arguments)}: {run.Errors} {run.Output}");
        return run.Json;
    }
}

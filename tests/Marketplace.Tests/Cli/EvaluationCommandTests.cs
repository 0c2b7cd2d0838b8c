using System.Text.Json;
using Marketplace.Core.Evaluation;
using Marketplace.Tests.Evaluation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>The commands about evaluation sets and scores.</summary>
public sealed class EvaluationCommandTests(EvaluationApiTests.World world) : IClassFixture<EvaluationApiTests.World>, IDisposable
{
    private readonly CliProcess cli = new();

    [Fact]
    public Task Sets_are_checked_published_shown_and_fetched_and_scores_are_compared() => world.Stack.RunAsync(async () =>
    {
        var file = Path.Combine(cli.Home, "sums.jsonl");
        await File.WriteAllTextAsync(file, """{"prompt": "1+1=", "choices": ["2", "1"], "answer": 2}""");
        var refused = await cli.Run("sets", "publish", file, "--json");
        Assert.Equal((1, "invalid-set", "line 1: answer"), (refused.ExitCode, refused.Json.GetProperty("code").GetString(), refused.Json.GetProperty("issues")[0].GetProperty("path").GetString()));

        var copy = TrainedFixture.FileOf("reverse");
        var version = (await Ok("sets", "publish", copy, "--description", "turned around", "--metric", "accuracyNorm", "--message", "first")).GetProperty("version");
        Assert.Equal(("ann/reverse", 1, "accuracyNorm"), (version.GetProperty("set").GetString(), version.GetProperty("number").GetInt32(), version.GetProperty("header").GetProperty("metric").GetString()));
        Assert.Contains("turned around", (await Run("sets", "list")).Output);
        Assert.Equal(1, (await Ok("sets", "show", "ann/reverse")).GetProperty("versions").GetArrayLength());
        var target = Path.Combine(cli.Home, "fetched.jsonl");
        Assert.Equal(version.GetProperty("digest").GetString(), (await Ok("sets", "download", "ann/reverse@1", target)).GetProperty("digest").GetString());
        Assert.Equal(1, (await Ok("sets", "publish", target, "ann/reverse")).GetProperty("version").GetProperty("number").GetInt32());
        Assert.False((await Ok("sets", "unlist", "ann/reverse")).GetProperty("listed").GetBoolean());
        Assert.True((await Ok("sets", "delete", "ann/reverse")).GetProperty("deleted").GetBoolean());
        Assert.Equal(5, (await Run("sets", "show", "ann/reverse", "--json")).ExitCode);

        Assert.Equal(28, (await Ok("leaderboard", StackAdapters.BaseModel, "ann/copy")).GetProperty("candidates").GetInt32());
        var board = await Run("leaderboard", StackAdapters.BaseModel, "ann/copy", "--tried", "72");
        Assert.Contains("100 candidates", board.Output);
        Assert.Contains("Clopper–Pearson", board.Output);
        var (first, second) = (world.Results["adapter:copy"], world.Results["base"]);
        var predictions = Path.Combine(cli.Home, "predictions.safetensors");
        Assert.Contains("100 of 100", (await Run("scores", first, "-o", predictions)).Output);
        Assert.Equal(TrainedFixture.Measured("adapter:copy", "copy"), PredictionsFile.Read(await File.ReadAllBytesAsync(predictions)));
        Assert.Equal("mcnemar", (await Ok("scores", first, second)).GetProperty("pairs")[0].GetProperty("comparison").GetProperty("test").GetString());
        Assert.Contains("signFlip", (await Run("scores", first, second, "--metric", "logLikelihood")).Output);
        Assert.Contains("portfolio", (await Run("ensemble", first, second, "--budget", "3")).Output);
        Assert.Equal(6, (await Ok("ensemble", first, second, "--score", "bytes")).GetProperty("report").GetProperty("rows").GetArrayLength());
        Assert.Equal(2, (await Run("scores", first, second, "-o", predictions, "--json")).ExitCode);
    });

    public void Dispose() => cli.Dispose();

    private async Task<JsonElement> Ok(params string[] arguments)
    {
        var run = await Run([.. arguments, "--json"]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', arguments)}: {run.Output}{run.Errors}");
        return run.Json;
    }

    private Task<CliRun> Run(params string[] arguments) => cli.Run([.. arguments, "--url", world.Stack.Address.ToString(), "--key", world.Ann.Key!]);
}

using System.Text;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Tests.BaseModels;
using Marketplace.Tests.Cli;
using Marketplace.Tests.Evaluation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Compositions;

/// <summary>From a request to an adapter that was learned, through functions, queue and kernels.</summary>
public sealed class CompositionApiTests(CompositionApiTests.World world) : IClassFixture<CompositionApiTests.World>
{
    private const string Base = "marketplace/samples-base";

    private readonly Stack stack = world.Stack;

    public sealed class World(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings { Kernels = true })
    {
        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            var ann = await Stack.AccountAsync("ann");
            await BaseModelFilesOf.RegisteredAsync(Stack.Admin, Base, BaseModelFilesOf.Sample());
            foreach (var name in new[] { "copy", "sort", "reverse" })
                await ann.PublishedAsync($"ann/{name}", Files(Path.Combine(Fixtures.Repository, "samples", "library", name)));
            var headed = Files(Path.Combine(Fixtures.Root, "adapters", "llama", "modules_to_save"));
            headed["adapter_config.json"] = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(headed["adapter_config.json"]).Replace("fixtures/llama", Base, StringComparison.Ordinal));
            await ann.PublishedAsync("ann/headed", headed);
            await Stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/examples"), TrainedFixture.Set("copy"), true, "ann");
            await Stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/open"), TrainedFixture.Set("sort"), false, "ann");
        }

        private static Dictionary<string, byte[]> Files(string folder) =>
            new[] { "adapter_config.json", "adapter_model.safetensors" }.ToDictionary(n => n, n => File.ReadAllBytes(Path.Combine(folder, n)));
    }

    [Fact]
    public Task A_composition_is_learned_and_published_and_only_who_sees_the_set_sees_what_was_learned() => stack.RunAsync(async () =>
    {
        var ann = await stack.AccountAsync("ann");
        var request = new CompositionRequest(
            "atlas", ["ann/copy", "ann/sort", "ann/reverse@1"], "ann/examples", new OutputRequest("ann/learned"),
            new Dictionary<string, RecipeValue> { ["granularity"] = RecipeValue.Of("global"), ["batch"] = 8, ["epochs"] = 8 }, "ann/examples@1", 20, Notes: "from twenty");
        var job = await ann.PostAsync<JobView>("/compositions", request, 202);
        Assert.Equal(job.JobId, (await ann.PostAsync<JobView>("/compositions", request, 202)).JobId);
        job = await ann.EndedAsync(job.JobId);
        Assert.True(job.Status == "succeeded", $"{job.Code}: {job.Detail}");
        Assert.Equal("composition", job.Kind);
        var result = job.Result!.Value.Deserialize<DerivedResult>(ApiJson.Options)!;
        Assert.Equal((20, 100, 3), (result.Learned!.Examples, result.Learned.HeldOut, result.Learned.Numbers));
        Assert.InRange(result.Learned.Before.Accuracy!.Value, 0, 0.4);
        Assert.InRange(result.Learned.After.Accuracy!.Value, 0.9, 1);

        var version = await ann.GetAsync<VersionView>("/adapters/ann/learned/versions/main");
        Assert.Equal(("atlas", "from twenty"), (version.Lineage!.Method, version.Message));
        Assert.Contains("base-weights-", version.Lineage.Kernel);
        Assert.Contains("ann/examples", version.Lineage.Recipe!);
        var report = await ann.GetAsync<MergeReportView>("/adapters/ann/learned/versions/main/merge-report");
        var coefficients = report.Learned!.Coefficients;
        Assert.Equal(["ann/copy@1", "ann/sort@1", "ann/reverse@1"], coefficients.Select(c => c.Source));
        Assert.All(coefficients, c => Assert.Equal("*", c.Group));
        Assert.Equal("ann/copy@1", coefficients.MaxBy(c => c.Mean)!.Source);
        Assert.All(version.Lineage.Parents.Zip(coefficients), pair => Assert.Equal(pair.Second.Mean, pair.First.Weight, 1e-9));
        Assert.Equal(result.Learned.Steps, report.Learned.Losses.Count);
        Assert.Equal(3, report.Parents.Count);

        var eve = await stack.AccountAsync("eve");
        Assert.Null((await eve.GetAsync<MergeReportView>("/adapters/ann/learned/versions/main/merge-report")).Learned);
        var seen = await eve.SendAsync(HttpMethod.Get, "/adapters/ann/learned/versions/main");
        Assert.DoesNotContain("examples", seen.Body);
        Assert.Equal(3, seen.Read<VersionView>().Lineage!.Parents.Count);
    });

    [Fact]
    public Task What_can_t_be_composed_fails_with_the_codes_of_merges() => stack.RunAsync(async () =>
    {
        var ann = await stack.AccountAsync("ann");
        var request = new CompositionRequest("search", ["ann/headed"], "ann/open", new OutputRequest("ann/never"));
        var answer = await ann.SendAsync(HttpMethod.Post, "/compositions", request);
        var job = await ann.EndedAsync(answer.Read<JobView>().JobId);
        Assert.Equal(("failed", "not-mergeable"), (job.Status, job.Code));
        Assert.Contains(MergeProblem.CarriedNotMergeable, job.Detail);
    });

    [Fact]
    public Task The_command_line_composes_and_says_what_was_learned() => stack.RunAsync(async () =>
    {
        using var cli = new CliProcess();
        var ann = await stack.AccountAsync("ann");
        string[] service = ["--url", stack.Address.ToString(), "--key", ann.Key!];
        var run = await cli.Run(["compose", "ann/copy", "ann/sort", "--set", "ann/open", "-m", "search", "-p", "evaluations=6", "--examples", "8", "-o", "by-search", .. service]);
        Assert.True(run.ExitCode == 0, run.Output + run.Errors);
        Assert.Contains("2 numbers by search, in 6 steps, from 6 examples", run.Output);
        var wrong = await cli.Run(["compose", "ann/copy", "--set", "ann/open", "-m", "search", "-p", "epochs=6", "-o", "x", "--json", .. service]);
        Assert.Equal((1, "parameter-unknown"), (wrong.ExitCode, wrong.Json.GetProperty("code").GetString()));
        Assert.Equal(2, (await cli.Run(["compose", "ann/copy", "--json"])).ExitCode);
        var methods = (await cli.Run(["compose", "--methods", "--json"])).Json.GetProperty("items").EnumerateArray().Select(m => m.GetProperty("name").GetString());
        Assert.Equal(["atlas", "scalearn", "axis", "search"], methods);
    });
}

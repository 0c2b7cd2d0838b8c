using System.Text.Json;
using System.Text.Json.Nodes;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;
using Marketplace.Tests.BaseModels;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Evaluation;

/// <summary>Evaluations on the real kernels: the sample base model registered, its library published, its sets.</summary>
public sealed class EvaluationJobTests(EvaluationJobTests.World world) : IClassFixture<EvaluationJobTests.World>
{
    private const string Base = "marketplace/samples-base";

    private readonly Stack stack = world.Stack;

    public sealed class World(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings { Kernels = true, KernelsThroughProxy = true })
    {
        internal StackApi Ann { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Ann = await Stack.AccountAsync("ann");
            await BaseModelFilesOf.RegisteredAsync(Stack.Admin, Base, BaseModelFilesOf.Sample());
            foreach (var name in new[] { "copy", "sort", "reverse", "prose" })
                await Ann.PublishedAsync($"ann/{name}", Sample(name));
            await Ann.PublishedAsync("ann/hidden", Sample("upper"), isPrivate: true);
            await Ann.PublishedAsync("ann/narrow", StackAdapters.Files(1, Base));
            // Results are kept by set: the second pair is for the test that counts what was there before it.
            foreach (var task in new[] { "copy", "sort" })
            {
                await PublishSetAsync(Ann, $"ann/{task}", Lines(task));
                await PublishSetAsync(Ann, $"ann/matrix-{task}", Lines(task));
            }

            await PublishSetAsync(Ann, "ann/long", Lines("copy").Concat(Lines("reverse")).Concat(Lines("last")));
            await PublishSetAsync(Ann, "ann/hidden-set", Lines("upper").Take(3), isPrivate: true);
        }

        private static Dictionary<string, byte[]> Sample(string name)
        {
            var folder = Path.Combine(Fixtures.Repository, "samples", "library", name);
            return new[] { "adapter_config.json", "adapter_model.safetensors" }.ToDictionary(f => f, f => File.ReadAllBytes(Path.Combine(folder, f)));
        }

        private static IEnumerable<string> Lines(string task) => File.ReadLines(Path.Combine(Fixtures.Repository, "samples", "sets", task + ".jsonl")).Where(l => l.Contains("\"prompt\"", StringComparison.Ordinal));

        private static Task<PublishEvaluationSetResponse> PublishSetAsync(StackApi owner, string name, IEnumerable<string> lines, bool isPrivate = false) => owner.PostAsync<PublishEvaluationSetResponse>(
            "/evaluation-sets", new PublishEvaluationSetRequest(name, [.. lines.Select(l => JsonSerializer.Deserialize<JsonElement>(l))], Private: isPrivate), 201);
    }

    [Fact]
    public Task A_matrix_of_every_kind_of_subject_is_scored_once_for_everybody() => stack.RunAsync(async () =>
    {
        var recipe = new MergeRecipe("linear", [RecipeInput.Of("ann/copy", 0.5), RecipeInput.Of("ann/sort", 0.5)]);
        EvaluationSubject[] subjects =
        [
            new BaseSubject(), new AdapterSubject("ann/copy"), new AdapterSubject("ann/sort@1"), new RecipeSubject(recipe),
            new WeightedSubject([new("ann/sort", 0.5), new("ann/copy", 0.5)]), new ArrowSubject([new("ann/copy"), new("ann/sort")], TopK: 1),
            new ArrowSubject([new("ann/copy"), new("ann/sort")], [new("ann/prose")]),
            new MixtureSubject([new(new AdapterSubject("ann/copy")), new(new MixtureSubject([new(new BaseSubject()), new(new AdapterSubject("ann/sort"))]))]),
            new AdapterSubject("ann/copy@1"), new AdapterSubject("ann/narrow"),
        ];
        var result = await EvaluatedAsync(world.Ann, new(["ann/matrix-copy", "ann/matrix-sort@1"], subjects));
        // The same subject under another name is one, and what does not fit stops nothing.
        Assert.Equal((8 * 2, 0), (result.Rows.Count, result.Reused));
        Assert.Equal(("ann/narrow@1", "adapter-unfit"), Assert.Single(result.Refused) is var refused ? (refused.Subject, refused.Code) : default);

        var expected = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Fixtures.Root, "trained", "expected.json"), TestContext.Current.CancellationToken))!["accuracy"]!;
        double Of(string subject, string set) => result.Rows.Single(r => r.Subject == subject && r.Set == $"ann/matrix-{set}@1").Value;
        foreach (var task in new[] { "copy", "sort" })
        {
            Assert.Equal((double)expected["base"]![task]!, Of("base model", task), 1e-12);
            Assert.Equal((double)expected["adapter:copy"]![task]!, Of("ann/copy@1", task), 1e-12);
            Assert.Equal((double)expected["adapter:sort"]![task]!, Of("ann/sort@1", task), 1e-12);
        }

        // A recipe is scored as the merge would be, and nothing of it is published.
        Assert.Equal(404, (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters/ann/merged")).Status);
        var merged = await world.Ann.EndedAsync((await world.Ann.PostAsync<JobView>("/merges", recipe with { Output = new("ann/merged") }, 202)).JobId);
        Assert.Equal("succeeded", merged.Status);
        var (unpublished, weighted) = (Row(result, "linear of"), Row(result, "0.5·"));
        var published = (await EvaluatedAsync(world.Ann, new(["ann/matrix-copy"], [new AdapterSubject("ann/merged")]))).Rows[0];
        Assert.Equal(await PredictionsAsync(published.Evaluation), await PredictionsAsync(unpublished.Evaluation), Near(1e-4));
        Assert.Equal(await PredictionsAsync(published.Evaluation), await PredictionsAsync(weighted.Evaluation), Near(1e-3));

        // Another account asks for some of it: nothing is computed again, and its row names no job of others.
        var bob = await stack.AccountAsync("bob");
        var again = await EvaluatedAsync(bob, new(["ann/matrix-sort", "ann/matrix-copy"], [new AdapterSubject("ann/copy"), new BaseSubject()]));
        Assert.Equal((4, 4), (again.Rows.Count, again.Reused));
        Assert.Equal(Of("ann/copy@1", "copy"), again.Rows.Single(r => r.Subject == "ann/copy@1" && r.Set == "ann/matrix-copy@1").Value);
        Assert.Null((await bob.GetAsync<EvaluationView>($"/evaluations/{again.Rows[0].Evaluation}")).JobId);

        static EvaluationRow Row(EvaluationJobResult result, string start) => result.Rows.First(r => r.Subject.StartsWith(start, StringComparison.Ordinal) && r.Set == "ann/matrix-copy@1");
    });

    [Fact]
    public Task A_library_is_scored_without_what_the_caller_may_not_see() => stack.RunAsync(async () =>
    {
        var bob = await stack.AccountAsync("bob");
        var result = await EvaluatedAsync(bob, new(["ann/sort"], Library: new(Base)));
        Assert.Equal(["ann/copy@1", "ann/prose@1", "ann/reverse@1", "ann/sort@1"], result.Rows.Select(r => r.Subject).Where(s => !s.Contains("merged", StringComparison.Ordinal)).Order());
        Assert.Equal("ann/narrow@1", Assert.Single(result.Refused).Subject);
        Assert.DoesNotContain("hidden", JsonSerializer.Serialize(result, ApiJson.Options), StringComparison.Ordinal);
    });

    [Fact]
    public Task A_kill_in_the_middle_of_a_matrix_loses_at_most_one_batch() => stack.RunAsync(async () =>
    {
        EvaluationSubject[] subjects = [new BaseSubject(), new AdapterSubject("ann/reverse"), new AdapterSubject("ann/sort")];
        var parts = new List<string>();
        var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        JobView job;
        using (stack.Proxy.On(IsPart, async call =>
        {
            // Of the third batch of 64 items the first part arrives, and the process dies.
            bool dies;
            lock (parts)
            {
                parts.Add(call.Path);
                dies = parts.Count(p => p.Contains("/00000128-", StringComparison.Ordinal)) == 1 && call.Path.Contains("/00000128-", StringComparison.Ordinal);
            }

            await call.ForwardAsync();
            if (!dies)
                return;
            await stack.Kernels.KillAsync();
            call.Abort();
            killed.TrySetResult();
        }))
        {
            job = await world.Ann.PostAsync<JobView>("/evaluations", new EvaluationRequest(["ann/long"], subjects), 202);
            await killed.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        }

        List<string> before = [.. parts.Distinct()];
        Assert.InRange(before.Count(p => p.Contains("/00000128-", StringComparison.Ordinal)), 1, 3);
        parts.Clear();
        JobView ended;
        using (stack.Proxy.On(IsPart, async call =>
        {
            lock (parts)
                parts.Add(call.Path);
            await call.ForwardAsync();
        }))
        {
            await stack.StartKernelsAsync();
            ended = await world.Ann.EndedAsync(job.JobId);
        }

        Assert.True(ended.Status == "succeeded", $"{ended.Code}: {ended.Detail}");
        // The first two batches are not scored again; of the third what was not kept, and then the rest.
        Assert.Equal(6, before.Count(p => !p.Contains("/00000128-", StringComparison.Ordinal)));
        Assert.DoesNotContain(parts, p => p.Contains("/00000000-", StringComparison.Ordinal) || p.Contains("/00000064-", StringComparison.Ordinal));
        Assert.Contains(parts, p => p.Contains("/00000192-", StringComparison.Ordinal));

        // As if undisturbed, in another job on the same items in other batches.
        var rows = JsonSerializer.Deserialize<EvaluationJobResult>(ended.Result!.Value, ApiJson.Options)!.Rows;
        Assert.Equal(3, rows.Count);
        var copy = (await EvaluatedAsync(world.Ann, new(["ann/copy"], subjects))).Rows;
        for (var s = 0; s < 3; s++)
            Assert.Equal(await PredictionsAsync(copy[s].Evaluation), (await PredictionsAsync(rows[s].Evaluation))[..400], Near(1e-4));
        Assert.Empty(await stack.Storage.EvaluationResults.ReadPartsAsync(job.JobId, rows[1].Evaluation, TestContext.Current.CancellationToken));
    });

    [Fact]
    public Task A_cancelled_evaluation_stops_and_goes_on_where_it_was_when_it_is_asked_for_again() => stack.RunAsync(async () =>
    {
        var request = new EvaluationRequest(["ann/long"], [new AdapterSubject("ann/copy"), new AdapterSubject("ann/prose")]);
        var parts = new List<string>();
        var kept = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        JobView job;
        using (stack.Proxy.On(IsPart, async call =>
        {
            kept.TrySetResult();
            await cancelled.Task;
            await call.ForwardAsync();
        }))
        {
            job = await world.Ann.PostAsync<JobView>("/evaluations", request, 202);
            await kept.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            await world.Ann.PostAsync<JobView>($"/jobs/{job.JobId}/cancel", null, 202);
            // Until the worker has noticed, which it does by looking at the row.
            await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
            cancelled.SetResult();
            Assert.Equal("cancelled", (await world.Ann.EndedAsync(job.JobId)).Status);
        }

        using (stack.Proxy.On(IsPart, async call =>
        {
            lock (parts)
                parts.Add(call.Path);
            await call.ForwardAsync();
        }))
        {
            var result = await EvaluatedAsync(world.Ann, request);
            Assert.Equal(2, result.Rows.Count);
        }

        Assert.Equal(2, (await world.Ann.GetAsync<JobView>($"/jobs/{job.JobId}")).Attempt);
        Assert.Contains(parts, p => p.Contains("/00000128-", StringComparison.Ordinal));
    });

    private bool IsPart(StackStorageCall call) => call.Method == "PUT" && call.Path.StartsWith($"/{stack.Namespace}-evaluations/parts/", StringComparison.Ordinal);

    [Fact]
    public Task What_can_t_be_scored_says_why() => stack.RunAsync(async () =>
    {
        await world.Ann.PublishedAsync("ann/elsewhere", StackAdapters.Files(5, "lab/nowhere"));
        Assert.Equal("base-weights-missing", (await EndedAsync(new(["ann/copy"], [new AdapterSubject("ann/elsewhere")]))).Code);
        Assert.Equal("adapter-unfit", (await EndedAsync(new(["ann/copy"], [new AdapterSubject("ann/narrow")]))).Code);
        var files = BaseModelFilesOf.Sample();
        files.Remove("tokenizer.json");
        var status = await BaseModelFilesOf.RegisteredAsync(stack.Admin, "lab/silent", files);
        Assert.Equal("tokenizer-missing", Assert.Single(status.Issues!).Code);
        Assert.Equal("tokenizer-missing", (await EndedAsync(new(["ann/copy"], [new BaseSubject()], BaseModel: "lab/silent"))).Code);
        files = BaseModelFilesOf.Sample();
        files["config.json"] = JsonSerializer.SerializeToUtf8Bytes(Changed(JsonNode.Parse(files["config.json"])!, "hidden_size", 48));
        await BaseModelFilesOf.RegisteredAsync(stack.Admin, "lab/wrong", files);
        Assert.Equal("base-weights-invalid", (await EndedAsync(new(["ann/copy"], [new BaseSubject()], BaseModel: "lab/wrong"))).Code);
    });

    [Fact]
    public Task A_request_that_can_t_be_is_refused_at_its_place() => stack.RunAsync(async () =>
    {
        var bob = await stack.AccountAsync("bob");
        EvaluationSubject copy = new AdapterSubject("ann/copy");
        await RefusedAsync(new([], [copy]), "sets");
        await RefusedAsync(new(["ann/copy"], []), "subjects");
        await RefusedAsync(new(["ann/copy"], [new BaseSubject()]), "baseModel");
        await RefusedAsync(new(["ann/copy", "ann/absent"], [copy]), "sets[1]");
        await RefusedAsync(new(["ann/copy"], [copy], Registration: "7"), "registration");
        await RefusedAsync(new(["ann/copy"], [copy, new AdapterSubject("ann/absent")]), "subjects[1]");
        await RefusedAsync(new(["ann/copy"], [new MixtureSubject([new(copy, -1)])]), "subjects[0].parts");
        await RefusedAsync(new(["ann/copy"], [new RecipeSubject(new("no-such-method", [new("ann/copy")]))]), "subjects[0].recipe.method");
        (await bob.SendAsync(HttpMethod.Post, "/evaluations", new EvaluationRequest(["ann/copy"], [copy], BaseModel: "lab/other"))).Problem(422, "base-mismatch");
        (await bob.SendAsync(HttpMethod.Post, "/evaluations", new EvaluationRequest(["ann/copy"], [new BaseSubject()], BaseModel: "lab/unknown"))).Problem(404, "not-found");
        foreach (var (hidden, absent) in new[] { ("ann/hidden-set", "ann/absent-set"), ("ann/hidden", "ann/absent") })
        {
            EvaluationRequest Of(string name) => name.EndsWith("-set", StringComparison.Ordinal) ? new([name], [copy]) : new(["ann/copy"], [new AdapterSubject(name)]);
            var answers = new[] { hidden, absent }.Select(async n => (await bob.SendAsync(HttpMethod.Post, "/evaluations", Of(n))) is var a ? (a.Status, a.Body.Replace(n, "x", StringComparison.Ordinal)) : default);
            var both = await Task.WhenAll(answers);
            Assert.Equal(both[1], both[0]);
            Assert.Equal(400, both[0].Status);
        }

        async Task RefusedAsync(EvaluationRequest request, string place) =>
            Assert.Contains((await bob.SendAsync(HttpMethod.Post, "/evaluations", request)).Problem(400, "invalid-request").Issues!, i => i.Path == place);
    });

    private static JsonNode Changed(JsonNode config, string member, int value)
    {
        config[member] = value;
        return config;
    }

    private async Task<JobView> EndedAsync(EvaluationRequest request) => await world.Ann.EndedAsync((await world.Ann.PostAsync<JobView>("/evaluations", request, 202)).JobId);

    private static async Task<EvaluationJobResult> EvaluatedAsync(StackApi caller, EvaluationRequest request)
    {
        var job = await caller.EndedAsync((await caller.PostAsync<JobView>("/evaluations", request, 202)).JobId);
        Assert.True(job.Status == "succeeded", $"{job.Code}: {job.Detail}");
        return JsonSerializer.Deserialize<EvaluationJobResult>(job.Result!.Value, ApiJson.Options)!;
    }

    // Log-likelihoods of all choices of all items.
    private async Task<double[]> PredictionsAsync(string evaluation) =>
        [.. (await stack.Storage.EvaluationResults.ReadPredictionsAsync(evaluation, TestContext.Current.CancellationToken)).Items.Cast<ChoicePrediction>().SelectMany(p => p.LogLikelihoods)];

    private static Comparer Near(double most) => new(most);

    private sealed class Comparer(double most) : IEqualityComparer<double[]>
    {
        // Log-likelihoods of tens of nats move by single precision's last digits; on the mean of all that is less than 1e-5.
        public bool Equals(double[]? x, double[]? y) =>
            x!.Length == y!.Length && x.Zip(y, (a, b) => Math.Abs(a - b)).ToList() is var apart && apart.Max() <= most && (most > 1e-4 || apart.Average() < 1e-5);

        public int GetHashCode(double[] obj) => obj.Length;
    }
}

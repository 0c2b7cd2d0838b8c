using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Evaluation;

/// <summary>Evaluation sets, results, leaderboards, comparisons and ensembles over HTTP.</summary>
public sealed class EvaluationApiTests(EvaluationApiTests.World world) : IClassFixture<EvaluationApiTests.World>
{
    private const string Base = StackAdapters.BaseModel;

    private readonly Stack stack = world.Stack;

    public sealed class World(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        internal StackApi Ann { get; private set; } = null!;

        /// <summary>Ids of the results on ann/copy, by the fixture's row.</summary>
        internal Dictionary<string, string> Results { get; } = [];

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Ann = await Stack.AccountAsync("ann");
            await Ann.PublishedAsync("ann/copy", StackAdapters.Files(1));
            await Ann.PublishedAsync("ann/sort", StackAdapters.Files(2));
            await Ann.PublishedAsync("ann/hidden", StackAdapters.Files(3), isPrivate: true);
            Assert.Equal(201, (await Ann.SendAsync(HttpMethod.Post, "/evaluation-sets?set=ann/copy", Lines(File.ReadAllText(TrainedFixture.FileOf("copy"))))).Status);
            var (copy, sort, hidden) = (await Of("ann/copy"), await Of("ann/sort"), await Of("ann/hidden"));
            var recipe = new RecipeSubject(MergeRecipe.Over("linear", 0.5, 0.5) with { Inputs = [RecipeInput.Of("ann/copy@1", 0.5), RecipeInput.Of("ann/sort@1", 0.5)] });
            await Put("base", new BaseSubject());
            await Put("adapter:copy", copy);
            await Put("adapter:sort", sort);
            await Put("merge:cat_mean", recipe.Canonical(_ => new(_.Adapter, new string('0', 40))), 20);
            await Put("adapter:last", hidden, 5);

            Task<EvaluationSubject> Of(string name) => StoredEvaluations.AdapterAsync(Stack.Storage, name);

            async Task Put(string row, EvaluationSubject subject, int candidates = 1) => Results[row] =
                (await StoredEvaluations.PutAsync(Stack.Storage, "ann/copy", Base, subject, TrainedFixture.Measured(row, "copy"), "ann", candidates)).Id;
        }
    }

    [Fact]
    public Task A_set_is_published_in_either_form_listed_and_downloaded() => stack.RunAsync(async () =>
    {
        var bob = await stack.AccountAsync("bob");
        const string Item = """{"prompt": "1+1=", "choices": ["2", "1"], "answer": 0}""";
        var json = $$"""{"set": "bob/sums", "items": [{{Item}}, {{Item}}], "header": {"description": "sums", "metric": "accuracyNorm"}, "message": "first"}""";
        var made = (await bob.SendAsync(HttpMethod.Post, "/evaluation-sets", new StringContent(json, Encoding.UTF8, "application/json"))).Read<PublishEvaluationSetResponse>();
        Assert.Equal((1, 2, EvaluationKind.MultipleChoice, Metric.AccuracyNorm, "sums", "first"),
            (made.Version.Number, made.Version.Items, made.Version.Header.Kind, made.Version.Header.Metric, made.Version.Header.Description, made.Version.Message));
        Assert.Equal(("item-repeated", "warning", "items[1]"), made.Warnings is [var warning] ? (warning.Code, warning.Severity, warning.Path) : default);
        var again = await bob.PostAsync<PublishEvaluationSetResponse>("/evaluation-sets?set=bob/sums", Lines($$"""{"evaluationSet": 1, "description": "sums", "metric": "accuracyNorm"}""", Item, Item), 201);
        Assert.Equal((1, made.Version.Digest), (again.Version.Number, again.Version.Digest));
        Assert.Equal(2, (await bob.PostAsync<PublishEvaluationSetResponse>("/evaluation-sets?set=bob/sums", Lines(Item), 201)).Version.Number);

        Assert.Contains((await stack.Anonymous.GetAsync<ListResponse<EvaluationSetView>>("/evaluation-sets")).Items, s => s.Id == "bob/sums" && s.Main.Number == 2);
        Assert.Equal([2, 1], (await stack.Anonymous.GetAsync<ListResponse<EvaluationSetVersionView>>("/evaluation-sets/bob/sums/versions")).Items.Select(v => v.Number));
        var redirect = await stack.Anonymous.SendAsync(HttpMethod.Get, "/evaluation-sets/bob/sums/versions/1/items");
        Assert.Equal(302, redirect.Status);
        using var storage = new HttpClient();
        Assert.Equal(made.Version.Digest, Digest.Of(await storage.GetByteArrayAsync(redirect.Headers["Location"])).Hex);

        Assert.False((await bob.SendAsync(HttpMethod.Patch, "/evaluation-sets/bob/sums", new UpdateEvaluationSetRequest(false))).Read<EvaluationSetView>().Listed);
        Assert.DoesNotContain((await stack.Anonymous.GetAsync<ListResponse<EvaluationSetView>>("/evaluation-sets?owner=bob")).Items, s => s.Id == "bob/sums");
        (await world.Ann.SendAsync(HttpMethod.Delete, "/evaluation-sets/bob/sums")).Problem(403, "forbidden");
        (await world.Ann.SendAsync(HttpMethod.Patch, "/evaluation-sets/bob/sums", new UpdateEvaluationSetRequest(true))).Problem(403, "forbidden");
        (await world.Ann.SendAsync(HttpMethod.Post, "/evaluation-sets?set=bob/sums", Lines(Item))).Problem(403, "forbidden");
        Assert.Equal(204, (await bob.SendAsync(HttpMethod.Delete, "/evaluation-sets/bob/sums")).Status);
        (await bob.SendAsync(HttpMethod.Get, "/evaluation-sets/bob/sums")).Problem(404, "not-found");
    });

    [Fact]
    public Task Whatever_is_wrong_with_a_set_is_told_with_its_line_or_index() => stack.RunAsync(async () =>
    {
        var lines = (await world.Ann.SendAsync(HttpMethod.Post, "/evaluation-sets?set=ann/x", Lines("""{"text": "a"}""", """{"text": ""}""", "{"))).Problem(400, "invalid-request");
        Assert.Equal([("member-invalid", "line 2: text"), ("line-not-json", "line 3")], lines.Issues!.Select(i => (i.Code, i.Path)));
        var json = new PublishEvaluationSetRequest("ann/x", [JsonSerializer.Deserialize<JsonElement>("""{"text": "a", "tex": 1}""")]);
        Assert.Equal(("member-unknown", "items[0].tex"), (await world.Ann.SendAsync(HttpMethod.Post, "/evaluation-sets", json)).Problem(400, "invalid-request").Issues is [var only] ? (only.Code, only.Path) : default);
        foreach (var (route, place) in new[] { ("/evaluation-sets?set=ann", "set"), ("/evaluation-sets", "set"), ("/evaluation-sets?set=ann/x&private=maybe", "private"), ($"/evaluation-sets?set=ann/x&message={new string('m', 1001)}", "message") })
            Assert.Equal(place, (await world.Ann.SendAsync(HttpMethod.Post, route, Lines("""{"text": "a"}"""))).Problem(400, "invalid-request").Issues![0].Path);
        (await world.Ann.SendAsync(HttpMethod.Post, "/evaluation-sets?set=ann/x", new StringContent("a", Encoding.UTF8, "text/html"))).Problem(415, "unsupported-media-type");
        (await world.Ann.SendAsync(HttpMethod.Post, "/evaluation-sets", new StringContent("""{"set": "ann/x"}""", Encoding.UTF8, "application/json"))).Problem(400, "invalid-json");
        (await world.Ann.SendAsync(HttpMethod.Get, "/evaluation-sets/ann/copy/versions/9/items")).Problem(404, "not-found");
        foreach (var (route, place) in new[] { ("/evaluation-sets?limit=0", "limit"), ("/evaluation-sets?owner=a b", "owner"), ("/evaluation-sets?continuation=x", "continuation") })
            Assert.Equal(place, (await world.Ann.SendAsync(HttpMethod.Get, route)).Problem(400, "invalid-request").Issues![0].Path);
        Assert.Equal("listed", (await world.Ann.SendAsync(HttpMethod.Patch, "/evaluation-sets/ann/copy", new UpdateEvaluationSetRequest())).Problem(400, "invalid-request").Issues![0].Path);
    });

    [Fact]
    public Task A_set_larger_than_other_bodies_fits_and_one_beyond_the_limit_does_not() => stack.RunAsync(async () =>
    {
        var many = Enumerable.Range(0, 20_000).Select(i => $$"""{"text":"{{new string('a', 100)}} {{i}}"}""").ToArray();
        Assert.Equal(20_000, (await world.Ann.PostAsync<PublishEvaluationSetResponse>("/evaluation-sets?set=ann/large", Lines(many), 201)).Version.Items);
        var body = new ByteArrayContent(new byte[66 << 20]) { Headers = { ContentType = new MediaTypeHeaderValue("application/jsonl") } };
        (await world.Ann.SendAsync(HttpMethod.Post, "/evaluation-sets?set=ann/larger", body, ("Expect", "100-continue"))).Problem(413, "too-large");
    });

    [Fact]
    public Task A_leaderboard_ranks_what_the_caller_may_see_and_counts_all_that_was_tried() => stack.RunAsync(async () =>
    {
        var seen = await stack.Anonymous.GetAsync<LeaderboardView>($"/leaderboards?baseModel={Base}&set=ann/copy");
        Assert.Equal([("adapter:copy", 1), ("merge:cat_mean", 2), ("base", 3), ("adapter:sort", 4)], seen.Rows.Select(r => (world.Results.Single(w => w.Value == r.Evaluation).Key, r.Rank)));
        Assert.Equal([1, 0.69, 0.25, 0.21], seen.Rows.Select(r => r.Score.Value));
        Assert.Equal((23, 100, Metric.Accuracy, true), (seen.Candidates, seen.Rows[0].Score.Correct, seen.Metric, seen.HigherIsBetter));
        Assert.Equal(Certificate.Of(100, 100, 23, 0.05), seen.Certificate);
        Assert.All(seen.Rows, r => Assert.InRange(r.Score.Value, r.Score.Low, r.Score.High));
        Assert.Equal("linear of ann/copy@1, ann/sort@1", seen.Rows[1].Label);

        var own = await world.Ann.GetAsync<LeaderboardView>($"/leaderboards?baseModel={Base}&set=ann/copy@1&metric=logLikelihood&tried=72&limit=2&delta=0.1");
        Assert.Equal((100, 2, null), (own.Candidates, own.Rows.Count, own.Certificate));
        Assert.True(own.Rows[0].Score.Value > own.Rows[1].Score.Value);
        Assert.Equal(Certificate.Of(100, 100, 100, 0.1), (await world.Ann.GetAsync<LeaderboardView>($"/leaderboards?baseModel={Base}&set=ann/copy&tried=72&delta=0.1")).Certificate);
        Assert.Empty((await stack.Anonymous.GetAsync<LeaderboardView>("/leaderboards?baseModel=org/unheard-of&set=ann/copy")).Rows);
        foreach (var (query, place) in new[]
        {
            ("set=ann/copy", "baseModel"), ($"baseModel={Base}", "set"), ($"baseModel={Base}&set=ann", "set"), ($"baseModel={Base}&set=ann/copy&metric=perplexity", "metric"),
            ($"baseModel={Base}&set=ann/copy&tried=-1", "tried"), ($"baseModel={Base}&set=ann/copy&delta=1", "delta"), ($"baseModel={Base}&set=ann/copy&limit=501", "limit"),
        })
            Assert.Equal(place, (await world.Ann.SendAsync(HttpMethod.Get, $"/leaderboards?{query}")).Problem(400, "invalid-request").Issues![0].Path);
        (await world.Ann.SendAsync(HttpMethod.Get, $"/leaderboards?baseModel={Base}&set=ann/absent")).Problem(404, "not-found");
        (await world.Ann.SendAsync(HttpMethod.Get, $"/leaderboards?baseModel={Base}&set=ann/copy@7")).Problem(404, "not-found");
        (await world.Ann.SendAsync(HttpMethod.Get, "/leaderboards?baseModel=/some/path&set=ann/copy")).Problem(404, "not-found");
    });

    [Fact]
    public Task A_result_is_shown_with_its_predictions() => stack.RunAsync(async () =>
    {
        var id = world.Results["adapter:copy"];
        var view = await stack.Anonymous.GetAsync<EvaluationView>($"/evaluations/{id}");
        Assert.Equal(("ann/copy@1", "ann/copy", 1, 100, null), (view.Label, view.Set.Set, view.Set.Number, view.Items, view.JobId));
        Assert.Equal(Metrics.Of(EvaluationKind.MultipleChoice), view.Scores.Select(s => s.Metric));
        Assert.Equal("F32", view.Settings.GetProperty("dtype").GetString());
        Assert.IsType<AdapterSubject>(view.Subject);
        Assert.Equal("00", (await world.Ann.GetAsync<EvaluationView>($"/evaluations/{id}")).JobId);
        var redirect = await stack.Anonymous.SendAsync(HttpMethod.Get, $"/evaluations/{id}/predictions");
        using var storage = new HttpClient();
        Assert.Equal(TrainedFixture.Measured("adapter:copy", "copy"), PredictionsFile.Read(await storage.GetByteArrayAsync(redirect.Headers["Location"])));
    });

    [Fact]
    public Task Evaluations_are_compared_pair_by_pair_with_a_correction_for_all() => stack.RunAsync(async () =>
    {
        string[] rows = ["base", "adapter:copy", "merge:cat_mean"];
        var view = await stack.Anonymous.PostAsync<EvaluationComparisonView>("/evaluations/compare", new CompareEvaluationsRequest([.. rows.Select(r => world.Results[r])]), 200);
        Assert.Equal([(0, 1), (0, 2), (1, 2)], view.Pairs.Select(p => (p.First, p.Second)));
        Assert.Equal((0, 75), (view.Pairs[0].Comparison.OnlyFirst, view.Pairs[0].Comparison.OnlySecond));
        Assert.Equal(Holm.Adjust([.. view.Pairs.Select(p => p.Comparison.PValue)]), view.Pairs.Select(p => p.AdjustedPValue));
        Assert.Equal([0.25, 1, 0.69], view.Evaluations.Select(e => e.Score.Value));
        var likelihood = await stack.Anonymous.PostAsync<EvaluationComparisonView>("/evaluations/compare", new CompareEvaluationsRequest([world.Results["base"], world.Results["adapter:copy"]], Metric.LogLikelihood), 200);
        Assert.Equal("signFlip", Assert.Single(likelihood.Pairs).Comparison.Test);

        await stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/other"), TrainedFixture.Set("sort"), false, "ann");
        var other = (await StoredEvaluations.PutAsync(stack.Storage, "ann/other", Base, new BaseSubject(), TrainedFixture.Measured("base", "sort"))).Id;
        foreach (var (ids, metric, place) in new (string[], Metric?, string)[]
        {
            ([world.Results["base"]], null, "evaluations"), ([world.Results["base"], world.Results["base"]], null, "evaluations"), ([world.Results["base"], new('0', 64)], null, "evaluations[1]"),
            ([world.Results["base"], other], null, "evaluations[1]"), ([world.Results["base"], world.Results["adapter:copy"]], Metric.Perplexity, "metric"),
        })
        {
            foreach (var route in new[] { "/evaluations/compare", "/evaluations/ensemble" }.Take(metric is null ? 2 : 1))
            {
                object body = route.EndsWith("compare", StringComparison.Ordinal) ? new CompareEvaluationsRequest(ids, metric) : new EnsembleRequest(ids);
                Assert.Equal(place, (await world.Ann.SendAsync(HttpMethod.Post, route, body)).Problem(400, "invalid-request").Issues![0].Path);
            }
        }
    });

    [Fact]
    public Task Ensembles_are_scored_from_kept_predictions() => stack.RunAsync(async () =>
    {
        var request = new EnsembleRequest([world.Results["base"], world.Results["adapter:copy"], world.Results["adapter:sort"]], Budget: 5);
        var view = await stack.Anonymous.PostAsync<EnsembleView>("/evaluations/ensemble", request, 200);
        var rows = view.Report.Rows.ToDictionary(r => r.Way);
        Assert.Equal((1.0, 1.0), (rows["single"].Accuracy, rows["portfolio"].Accuracy));
        Assert.Equal([0, 1, 0], rows["single"].Weights);
        Assert.True(rows["majority"].Accuracy < 1);
        Assert.Equal((50, 50), (view.Report.Selection, view.Report.HeldOut));
        Assert.Equal("budget", (await world.Ann.SendAsync(HttpMethod.Post, "/evaluations/ensemble", request with { Budget = 0 })).Problem(400, "invalid-request").Issues![0].Path);
        Assert.Equal("share", (await world.Ann.SendAsync(HttpMethod.Post, "/evaluations/ensemble", request with { Share = 1 })).Problem(400, "invalid-request").Issues![0].Path);
        await stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/text"), TrainedFixture.Read("""{"text": "ab"}"""), false, "ann");
        var texts = new Predictions(EvaluationKind.Perplexity, 0, [new PerplexityPrediction(-1, 2, 2)]);
        var ids = new List<string>();
        foreach (var subject in new EvaluationSubject[] { new BaseSubject(), await StoredEvaluations.AdapterAsync(stack.Storage, "ann/copy") })
            ids.Add((await StoredEvaluations.PutAsync(stack.Storage, "ann/text", Base, subject, texts)).Id);
        Assert.Equal("evaluations", (await world.Ann.SendAsync(HttpMethod.Post, "/evaluations/ensemble", new EnsembleRequest(ids))).Problem(400, "invalid-request").Issues![0].Path);
        var board = await stack.Anonymous.GetAsync<LeaderboardView>($"/leaderboards?baseModel={Base}&set=ann/text");
        Assert.Equal((false, null, 1, 1), (board.HigherIsBetter, board.Certificate, board.Rows[0].Rank, board.Rows[1].Rank));
    });

    private static StringContent Lines(params string[] lines) => new(string.Join('\n', lines), Encoding.UTF8, "application/jsonl");
}

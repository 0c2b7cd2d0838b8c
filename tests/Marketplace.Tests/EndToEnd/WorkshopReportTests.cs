using System.Xml.Linq;
using Marketplace.Core.Api;
using Marketplace.Core.Lineage;
using Marketplace.Core.Merges;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>What users are told before a merge and after it, on the sample library.</summary>
public sealed class WorkshopReportTests(WorkshopReportTests.Fixture fixture) : IClassFixture<WorkshopReportTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings { Kernels = true })
    {
        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            var owner = await Stack.AccountAsync("ann");
            foreach (var name in new[] { "copy", "sort", "log" })
                await owner.PublishedAsync($"ann/{name}", Sample(name));
            await owner.PublishedAsync("ann/own", Sample("upper"), isPrivate: true);
        }
    }

    [Fact]
    public Task Anybody_may_compare_what_is_public_and_is_told_of_licences() => stack.RunAsync(async () =>
    {
        var view = await stack.Anonymous.PostAsync<CompatibilityView>("/compatibility", new CompatibilityRequest(["ann/copy", "ann/sort@1", "ann/log"], 4), 200);
        Assert.Equal("marketplace/samples-base", view.BaseModel);
        Assert.Equal(["ann/copy", "ann/sort", "ann/log"], view.Inputs.Select(i => i.Adapter));
        Assert.Equal(["ann/copy@1", "ann/sort@1", "ann/log@1"], view.Report.Adapters.Select(a => a.Name));
        Assert.Equal([(0, 1), (0, 2), (1, 2)], view.Report.Pairs.Select(p => (p.First, p.Second)));
        Assert.Equal([4], view.Report.Sum.Kept.Select(k => k.Rank));
        Assert.InRange(view.Report.Sum.Kept[0].Energy, 0.1, 0.999);
        Assert.Equal(["mit", "mit", "mit"], view.Licence.Parents.Select(p => p.Licence));
        Assert.Equal(Permission.Yes, view.Licence.Commercial);

        // The same cosine that the library's neighbours have.
        var similar = await stack.Anonymous.GetAsync<ListResponse<SimilarView>>("/adapters/ann/copy/similar");
        Assert.Equal(similar.Items.First(s => s.Version.Adapter == "ann/sort").Cosine, view.Report.Pairs[0].Cosine, 1e-9);
    });

    [Fact]
    public Task An_owner_compares_private_adapters_that_do_not_exist_for_others() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann", "read");
        var view = await owner.PostAsync<CompatibilityView>("/compatibility", new CompatibilityRequest(["ann/copy", "ann/own"]), 200);
        Assert.Equal(2, view.Inputs.Count);
        var problem = (await stack.Anonymous.SendAsync(HttpMethod.Post, "/compatibility", new CompatibilityRequest(["ann/copy", "ann/own"]))).Problem(400, "invalid-request");
        Assert.Equal("There is no adapter 'ann/own'.", Assert.Single(problem.Issues!).Message);
    });

    [Fact]
    public Task A_merge_is_reported_module_by_module_with_what_each_parent_gave() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        var recipe = new MergeRecipe("linear", [RecipeInput.Of("ann/copy", 2), RecipeInput.Of("ann/sort"), RecipeInput.Of("ann/own")], new OutputRequest("ann/reported"), Rank: 4);
        await PrivacyWorld.EndedAsync(owner, "/merges", recipe);
        const string Route = "/adapters/ann/reported/versions/main/merge-report";
        var report = await owner.GetAsync<MergeReportView>(Route);
        Assert.Equal("linear", report.Method);
        Assert.Matches("^[0-9a-f]{64}$", report.RecipeDigest);
        Assert.Contains("libtorch", report.Kernel, StringComparison.Ordinal);
        Assert.Equal(["ann/copy", "ann/sort", "ann/own"], report.Parents.Select(p => Assert.Single(p.Versions).Adapter));
        Assert.InRange(report.Parents.Sum(p => p.Share), 0.5, 0.99); // what is left after the cut is no longer a sum of the parents
        Assert.True(report.Parents[0].Cosine > 0.5 && report.Parents.All(p => p.Norm > 0 && p.Share > 0 && p.Share < report.Parents[0].Share + 1e-12));
        Assert.All(report.Modules, m => Assert.True(m is { RankIn: > 4, RankOut: 4, Seconds: > 0 } && m.RelativeDiscarded is > 0 and < 1, m.ToString()));
        Assert.Equal(Math.Sqrt(report.Modules.Sum(m => m.Norm * m.Norm)), report.Norm, 1e-9 * report.Norm);
        Assert.Equal(report.DiscardedNorm / report.Norm, report.RelativeDiscarded, 1e-12);
        Assert.True(report.Seconds > 0 && report.PeakMemoryBytes > 1 << 20);

        // Without a cut, what the parents give adds up to all of it.
        await PrivacyWorld.EndedAsync(owner, "/merges", recipe with { Rank = null, Output = new("ann/whole") });
        var whole = await owner.GetAsync<MergeReportView>("/adapters/ann/whole/versions/main/merge-report");
        Assert.Equal(1, whole.Parents.Sum(p => p.Share), 1e-4);
        Assert.InRange(whole.RelativeDiscarded, 0, 1e-5);
        Assert.Equal(report.Norm, whole.Norm, 1e-4 * report.Norm);
        Assert.NotEqual(report.RecipeDigest, whole.RecipeDigest);

        var strangers = await stack.Anonymous.GetAsync<MergeReportView>(Route);
        Assert.Equal(["ann/copy", "ann/sort"], strangers.Parents.Select(p => Assert.Single(p.Versions).Adapter));
        Assert.Null(strangers.RecipeDigest);
        Assert.All(strangers.Modules, m => Assert.Equal((null, 2), (m.RankIn, m.Parents.Count)));
        Assert.Equal(report.Modules[0].Parents[1], strangers.Modules[0].Parents[1]);
        (await owner.SendAsync(HttpMethod.Get, "/adapters/ann/copy/versions/main/merge-report")).Problem(404, "not-found");
    });

    [Fact]
    public Task A_lineage_leads_down_to_trained_adapters_and_hides_what_is_private() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        await PrivacyWorld.EndedAsync(owner, "/subtractions", new SubtractionRequest("ann/own", [new("ann/log", 0.5)], new OutputRequest("ann/rest")));
        await PrivacyWorld.EndedAsync(owner, "/merges", new MergeRecipe("cat", [RecipeInput.Of("ann/rest"), RecipeInput.Of("ann/log", 0.25), RecipeInput.Of("ann/copy")], new OutputRequest("ann/line")));
        const string Route = "/adapters/ann/line/versions/1/lineage";
        var graph = await owner.GetAsync<LineageGraph>(Route);
        Assert.Equal(["ann/line", "ann/rest", "ann/log", "ann/copy", "ann/own"], graph.Nodes.Select(n => n.Version!.Adapter));
        Assert.Equal([LineageKind.Merge, LineageKind.Subtraction, LineageKind.Trained, LineageKind.Trained, LineageKind.Trained], graph.Nodes.Select(n => n.Kind));
        Assert.Equal(
            [(0, 1, 1, "input"), (0, 2, 0.25, "input"), (0, 3, 1, "input"), (1, 4, 1, "target"), (1, 2, 0.5, "general")],
            graph.Edges.Select(e => (e.Child, e.Parent, e.Weight!.Value, e.Role!)));

        var strangers = await stack.Anonymous.SendAsync(HttpMethod.Get, Route);
        Assert.DoesNotContain("ann/own", strangers.Body, StringComparison.Ordinal);
        var seen = strangers.Read<LineageGraph>();
        Assert.Equal(4, seen.Nodes.Count(n => n.Version is not null));
        Assert.Equal([new LineageEdge(1, Array.FindIndex([.. seen.Nodes], n => n.Kind == LineageKind.NotVisible), null, null)], seen.Edges.Where(e => e.Weight is null));
        Assert.True((await owner.GetAsync<LineageGraph>(Route + "?limit=2")).Nodes is [{ HasMore: true }, { HasMore: true }]);

        var picture = await stack.Anonymous.SendAsync(HttpMethod.Get, Route + "?format=svg");
        Assert.Equal((200, "image/svg+xml"), (picture.Status, picture.ContentType));
        Assert.Contains("default-src 'none'", picture.Headers["Content-Security-Policy"], StringComparison.Ordinal);
        Assert.Equal("svg", XDocument.Parse(picture.Body).Root!.Name.LocalName);
        Assert.Contains("not visible", picture.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("ann/own", picture.Body, StringComparison.Ordinal);
    });

    private static Dictionary<string, byte[]> Sample(string name) =>
        Directory.GetFiles(Path.Combine(Fixtures.Repository, "samples", "library", name)).ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes);
}

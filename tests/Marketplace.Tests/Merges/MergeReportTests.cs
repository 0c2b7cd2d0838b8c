using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Storage.Jobs;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

public sealed class MergeReportTests
{
    [Theory]
    [InlineData(null)]
    [InlineData(2)]
    public void Totals_are_those_of_the_whole_change_however_much_was_cut(int? rank)
    {
        var (view, inputs, result) = Merge(rank);
        var (modules, total) = (new[] { "q", "v" }, Math.Sqrt(result.Values.Sum(r => Square(Dense.Norm(r)))));
        foreach (var (parent, adapter) in view.Parents.Zip(inputs))
        {
            var dense = modules.Where(m => adapter.Find(m) is not null).ToDictionary(m => m, m => Dense.Of(adapter.Delta(m)!));
            var norm = Math.Sqrt(dense.Values.Sum(d => Square(Dense.Norm(d))));
            Assert.Equal(norm, parent.Norm, 1e-10 * norm);
            Assert.Equal(dense.Sum(d => Dense.Inner(d.Value, result[d.Key])) / (norm * total), parent.Cosine, 1e-9);
        }

        var shares = view.Parents.Sum(p => p.Share);
        if (rank is null)
            Assert.Equal(1, shares, 1e-9);
        else
            Assert.InRange(shares, 0.1, 1 - 1e-3);
        Assert.Equal(rank is null, view.RelativeDiscarded < 1e-12);
        Assert.Equal(Math.Sqrt(Square(view.Norm) - Square(view.DiscardedNorm)), total, 1e-9 * total);
        Assert.Null(view.Modules[1].Parents[1]);
        Assert.Equal(("linear", "3 test", 2), (view.Method, view.Kernel, view.Modules.Count));
        Assert.Equal(["head.weight"], view.Parents[1].NotMerged);
    }

    [Fact]
    public void Equal_bytes_under_two_names_are_one_parent_with_two_versions() =>
        Assert.Equal(["a/one", "b/copy"], Merge(null).View.Parents[0].Versions.Select(v => v.Adapter));

    [Fact]
    public void What_a_reader_may_not_see_leaves_no_trace()
    {
        var view = Merge(2).View;
        Assert.Same(view, MergeReports.Redact(view, _ => true));

        // One of two names for the same bytes.
        var half = MergeReports.Redact(view, v => v.Adapter != "a/one");
        Assert.Equal(["b/copy"], half.Parents[0].Versions.Select(v => v.Adapter));
        Assert.Equal(2, half.Parents.Count);
        Assert.Null(half.RecipeDigest);

        var redacted = MergeReports.Redact(view, v => v.Adapter == "a/two");
        Assert.Equal("a/two", Assert.Single(Assert.Single(redacted.Parents).Versions).Adapter);
        Assert.Equal(view.Modules.Select(m => m.Parents[1]), redacted.Modules.Select(m => Assert.Single(m.Parents)));
        var text = System.Text.Json.JsonSerializer.Serialize(redacted, ApiJson.Options);
        Assert.All(new[] { "one", "copy", "rankIn", "recipeDigest" }, trace => Assert.DoesNotContain(trace, text, StringComparison.Ordinal));
        Assert.Empty(MergeReports.Redact(view, _ => false).Parents);
    }

    private static (MergeReportView View, Adapter[] Inputs, Dictionary<string, double[,]> Result) Merge(int? rank)
    {
        var random = new Random(1);
        LowRankDelta Delta() => Adapters.Random(random, 9, 8, 3);
        Adapter[] inputs =
        [
            Adapters.Of(("q", Delta()), ("v", Delta())),
            Adapters.Of([(new TargetModule("q", ModuleKind.Linear, 9, 8, 3, 1), Delta())], "head.weight"),
        ];
        var recipe = new MergeRecipe(
            "linear", [RecipeInput.Of("a/one@1", 2), RecipeInput.Of("a/two@1"), RecipeInput.Of("b/copy@1")], new OutputRequest("a/out"), Rank: RecipeRank.Of(rank));
        ResolvedInput Input(string name, string content) => new(name, 1, "id", content, content, 1, "input");
        var request = new DerivationRequest(recipe, [Input("a/one", "x"), Input("a/two", "y"), Input("b/copy", "x")], "org/base");
        var graph = request.Graph();
        Assert.True(MergePlan.TryCreate(graph, inputs, CarriedPolicy.Report, out var plan, out var problems), string.Join(' ', problems));
        var merged = Merging.Run(plan, inputs).ToList();
        var report = new MergeReport([.. merged.Select(m => m.Report)], plan.NotMerged);
        var json = MergeReports.ToJson(MergeReports.View(request, graph, report, "3 test", TimeSpan.FromSeconds(1.5)));
        return (MergeReports.Parse(json), inputs, merged.ToDictionary(m => m.Module.Name, m => Dense.Of(m.Delta)));
    }

    private static double Square(double x) => x * x;
}

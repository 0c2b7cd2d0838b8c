using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>Adapters of gpt2 that strangers published: eleven of one family, and two that have nothing to do with it.</summary>
public sealed class WildLibraryTests
{
    private const string Family = "laziestcactus__gptlora__";

    private static readonly string[] Strangers = ["anirudh-ak__peft-gpt2__model-lora-model", "harshapaladugu1__finetunedmodel-project"];

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void A_family_clusters_apart_from_strangers(int k)
    {
        var (names, adapters) = Library();
        Assert.True(Similarities.TryCompute(adapters, AdapterSimilarity.Delta, out var cosines, out _));
        var labels = Mbc.Run(cosines, k).Labels;
        var family = Enumerable.Range(0, names.Count).Where(i => !Strangers.Contains(names[i])).ToList();
        var strangers = Enumerable.Range(0, names.Count).Except(family).ToList();
        Assert.Equal((11, 2), (family.Count, strangers.Count));
        Assert.All(family, i => Assert.All(family, j => Assert.True(cosines[i, j] > 0.4)));
        Assert.All(strangers, i => Assert.All(family, j => Assert.True(Math.Abs(cosines[i, j]) < 0.05)));
        Assert.Empty(family.Select(i => labels[i]).Intersect(strangers.Select(i => labels[i])));
    }

    [Fact]
    public void Subtracting_what_a_family_shares_is_exact()
    {
        var (_, adapters) = Library();
        var general = adapters[1..4];
        Assert.True(MergePlan.TryCreate(WeightedSum.Subtraction([.. general.Select(_ => 1d)]), [adapters[0], .. general], out var plan, out _));
        var residual = Merging.Merge(plan.Modules[0], [adapters[0], .. general], ReferenceKernels.Instance, TestContext.Current.CancellationToken);
        var module = residual.Module.Name;
        var expected = Dense.Sum([(1, Dense.Of(adapters[0].Delta(module)!)), .. general.Select(g => (-1 / 3d, Dense.Of(g.Delta(module)!)))]);
        Dense.AssertClose(expected, residual.Delta);
        Assert.Equal(Dense.Norm(expected), residual.Report.Norm, 1e-10 * residual.Report.Norm);
    }

    [Fact]
    public void Tensors_that_cannot_be_merged_are_named()
    {
        Adapter[] inputs = [.. Strangers.Select(Open)];
        Assert.True(MergePlan.TryCreate(new WeightedSum("linear").Over(inputs.Length), inputs, out var plan, out _));
        Assert.All(plan.NotMerged, tensors => Assert.Contains("score", Assert.Single(tensors)));
    }

    private static (List<string> Names, Adapter[] Adapters) Library()
    {
        var names = Directory.GetDirectories(WildAdapters.Folder(), Family + "*").Select(d => Path.GetFileName(d)!).Concat(Strangers)
            .Order(StringComparer.Ordinal).ToList();
        return (names, [.. names.Select(Open)]);
    }

    private static Adapter Open(string name) => AdapterReader.Open(Path.Combine(WildAdapters.Folder(), name));
}

using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Xunit;

namespace Marketplace.Tests.Merges;

public class MergeEstimateTests
{
    [Fact]
    public void Ranks_and_shapes_settle_what_a_linear_merge_takes()
    {
        var estimate = Of(MergeRecipe.Over("linear", 1, 1) with { Rank = 16 }, Adapter(16, 4096), Adapter(16, 4096));
        var module = Assert.Single(estimate.Modules);
        Assert.Equal("from the factors: QR of rank 32, SVD of 32×32", module.Path);
        Assert.Equal(8 * 16 * 8192, module.ResultBytes);

        // QR of two 4096×32 factors is 2·8192·32² = 17 MFLOP, and the rest is less than ten times that.
        Assert.InRange(module.Flops, 17e6, 170e6);
        Assert.InRange(module.PeakBytes, 8 * 8192 * 32, 10 * 8 * 8192 * 32);
    }

    [Fact]
    public void An_element_wise_merge_holds_the_dense_result_once()
    {
        var estimate = Of(MergeRecipe.Over("ties", 1, 1) with { Rank = 16 }, Adapter(16, 4096), Adapter(16, 4096));
        Assert.Contains("subspace iteration", estimate.Modules[0].Path, StringComparison.Ordinal);
        Assert.InRange(estimate.PeakBytes, 4L * 4096 * 4096, 3 * 4L * 4096 * 4096);
        Assert.True(estimate.Flops > 4d * 4096 * 4096 * 32);
    }

    [Theory]
    [InlineData(400)] // small
    [InlineData(4096)] // everything is kept
    public void A_whole_decomposition_is_announced_with_its_memory(int width)
    {
        var recipe = MergeRecipe.Over("ties", 1, 1) with { Rank = width == 400 ? 16 : 2000 };
        var estimate = Of(recipe, Adapter(16, width), Adapter(16, width));
        Assert.Contains($"whole SVD of {width}×{width}", estimate.Modules[0].Path, StringComparison.Ordinal);
        Assert.True(estimate.PeakBytes > 8L * 3 * width * width);
    }

    [Fact]
    public void Nested_recipes_add_up_by_class()
    {
        var nested = new MergeRecipe("ties", [new RecipeInput("1"), new RecipeInput("0")]) { Rank = 8 };
        var recipe = new MergeRecipe("linear", [new RecipeInput("0"), new RecipeInput(Recipe: nested)]) { Rank = 4 };
        var estimate = Of(recipe, Adapter(16, 1024), Adapter(8, 1024));
        Assert.Equal([MethodClass.Linear, MethodClass.Elementwise], estimate.Classes.Select(c => c.Class));
        Assert.All(estimate.Classes, c => Assert.Equal(1, c.Merges));
        Assert.True(estimate.Flops >= estimate.Classes.Sum(c => c.Flops));
        Assert.True(estimate.PeakBytes > estimate.Classes.Max(c => c.PeakBytes));
        Assert.StartsWith("entries of ΔW in tiles, rank 8 by subspace iteration; from the factors: QR of rank 24", estimate.Modules[0].Path, StringComparison.Ordinal);
        Assert.Equal(8 * 4 * 2048, estimate.ResultBytes);
    }

    [Fact]
    public void Ranks_are_those_of_each_adapter_and_zero_where_it_lacks_the_module()
    {
        var plan = Plan(MergeRecipe.Over("linear", 1, 1), Adapter(16, 64), Adapter(4, 64, "other"));
        Assert.Equal(["other", "q"], plan.Modules.Select(m => m.Module.Name));
        Assert.Equal([0, 4], plan.Modules[0].Ranks);
        Assert.Equal([16, 0], plan.Modules[1].Ranks);
    }

    private static MergeEstimate Of(MergeRecipe recipe, params Adapter[] inputs) => MergeEstimate.Of(Plan(recipe, inputs));

    private static MergePlan Plan(MergeRecipe recipe, params Adapter[] inputs)
    {
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
        return plan;
    }

    // Nothing is read: plans and estimates need shapes alone.
    private static Adapter Adapter(int rank, int width, string name = "q") => new(
        new AdapterConfig(), [new TargetModule(name, ModuleKind.Linear, width, width, rank, 1)], _ => throw new InvalidOperationException("A factor was read."));
}

using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;

namespace Marketplace.Kernels.Tests.Merges;

public class CountMagnitudesTests
{
    [Fact]
    public void Kernels_and_core_find_one_threshold_to_rounding()
    {
        var kernels = new TorchKernels(KernelDevice.Cpu);
        foreach (var adapter in Libraries.Mixed().Append(Libraries.Adapter(4, 3, ("layer.0.tall", 2100, 1000), ("layer.0.small", 30, 20)))) // several tiles
            foreach (var density in new[] { 0.001, 0.2, 0.5, 0.999 })
            {
                var expected = MergePrepass.Threshold(adapter, density, ReferenceKernels.Instance, 1, TestContext.Current.CancellationToken);
                var actual = MergePrepass.Threshold(adapter, density, kernels, 2, TestContext.Current.CancellationToken);
                Assert.Equal(expected, actual, 1e-5 * expected + 1e-7); // entries are float32
                Assert.Equal(actual, MergePrepass.Threshold(adapter, density, kernels, 1, TestContext.Current.CancellationToken));
            }
    }

    [Fact]
    public void Counts_cover_every_entry_once()
    {
        var counts = new long[1 << 16];
        var adapter = Libraries.Adapter(4, 3, ("layer.0.tall", 2100, 1000));
        new TorchKernels(KernelDevice.Cpu).CountMagnitudes(adapter.Delta("layer.0.tall")!, null, counts);
        Assert.Equal(2_100_000, counts.Sum());
    }

    [Fact]
    public void Merges_over_whole_adapters_are_those_of_the_core()
    {
        var inputs = Libraries.Mixed();
        var recipe = MergeRecipe.Over("ties", 0.5, 0.3, 0.7).With("scope", RecipeValue.Of("adapter"));
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out _));
        foreach (var (expected, actual) in Merging.Run(plan, inputs).Zip(TorchMerge.Run(plan, inputs, new(KernelDevice.Cpu, 2), cancellation: TestContext.Current.CancellationToken)))
        {
            Assert.Equal(expected.Module, actual.Module);
            Assert.Equal(expected.Report.Norm, actual.Report.Norm, 1e-5 * expected.Report.Norm);
            Assert.Equal(expected.Report.DiscardedNorm, actual.Report.DiscardedNorm, 1e-5 * expected.Report.Norm);
        }
    }
}

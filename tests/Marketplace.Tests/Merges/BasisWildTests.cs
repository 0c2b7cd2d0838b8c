using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Basis methods on the first modules of four adapters of gpt2 that strangers published.</summary>
public sealed class BasisWildTests
{
    private const int Modules = 2;

    [Theory]
    [InlineData("knots inside=linear")]
    [InlineData("core_space inside=linear")]
    public void Plain_sums_inside_are_those_outside(string variant)
    {
        var inputs = Open();
        foreach (var (inside, outside) in Run(variant, inputs).Zip(Run("linear", inputs)))
            Assert.InRange(Deltas.Distance(inside, outside), 0, 1e-9 * Deltas.Norm(outside));
    }

    [Fact]
    public void Wudi_disturbs_each_adapter_less_than_the_sum_does()
    {
        var inputs = Open();
        foreach (var (wudi, sum, module) in Run("wudi", inputs).Zip(Run("task_arithmetic", inputs), inputs[0].Modules.Select(m => m.Name)))
        {
            LowRankDelta[] deltas = [.. inputs.Select(a => a.Delta(module)!)];
            Assert.True(Loss(wudi, deltas) < 0.5 * Loss(sum, deltas));
        }
    }

    [Theory]
    [InlineData("knots")]
    [InlineData("core_space")]
    [InlineData("axis")]
    [InlineData("lego")]
    public void Results_have_no_more_ranks_than_went_in_and_resemble_what_went_in(string variant)
    {
        var inputs = Open();
        foreach (var (merged, module) in Run(variant, inputs).Zip(inputs[0].Modules.Select(m => m.Name)))
        {
            Assert.InRange(merged.Rank, 1, inputs.Sum(a => a.Find(module)!.Rank));
            var cosines = inputs.Select(a => Deltas.Inner(a.Delta(module)!, merged) / Deltas.Norm(a.Delta(module)!) / Deltas.Norm(merged)).ToList();
            Assert.True(cosines.Max() > 0.3, string.Join(' ', cosines));
            Assert.All(cosines, c => Assert.True(c > -0.1, string.Join(' ', cosines)));
        }
    }

    // Σ |(M − τ)·τᵀ|² ∕ |τ|² in factors: (M − τ)·Aᵀ·Bᵀ.
    private static double Loss(LowRankDelta merged, LowRankDelta[] inputs) => inputs.Sum(t =>
    {
        var difference = Deltas.WeightedSum([(1, merged), (-1, t)]);
        var action = new LowRankDelta(difference.B, MatrixMath.TimesTransposed(MatrixMath.TimesTransposed(difference.A, t.A), t.B));
        return Math.Pow(Deltas.Norm(action) / Deltas.Norm(t), 2);
    });

    private static List<LowRankDelta> Run(string variant, Adapter[] inputs)
    {
        Assert.True(MergePlan.TryCreate(BasisMerge.Recipe(variant, inputs.Length), inputs, out var plan, out var problems), string.Join('\n', problems));
        return [.. plan.Modules.Take(Modules).Select(m => Merging.Merge(m, inputs, ReferenceKernels.Instance, TestContext.Current.CancellationToken).Delta)];
    }

    private static Adapter[] Open() =>
    [
        .. new[] { "laziestcactus__gptlora__ck1000", "laziestcactus__gptlora__ck7500", "anirudh-ak__peft-gpt2__model-lora-model", "harshapaladugu1__finetunedmodel-project" }
            .Select(name => AdapterReader.Open(Path.Combine(WildAdapters.Folder(), name))),
    ];
}

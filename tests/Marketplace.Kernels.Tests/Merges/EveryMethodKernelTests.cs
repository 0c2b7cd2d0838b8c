using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;

namespace Marketplace.Kernels.Tests.Merges;

/// <summary>Every method of the catalogue by libtorch: equal to the reference, and the same bits however many modules are computed at once.</summary>
public class EveryMethodKernelTests
{
    public static TheoryData<string> Names => [.. MergeMethods.All.Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Kernels_compute_what_the_reference_computes(string name)
    {
        var (plan, inputs) = Case(name);
        // Entries of ΔW are float32 on the kernels; whatever else they do is float64.
        var tolerance = plan.Graph.Root.Method.Class == MethodClass.Elementwise ? 1e-4 : 1e-8;
        foreach (var (e, a) in Merging.Run(plan, inputs).Zip(Run(plan, inputs, 1)))
        {
            Assert.Equal(e.Module with { Rank = 0 }, a.Module with { Rank = 0 });
            Assert.Equal(e.Report.Norm, a.Report.Norm, tolerance * (1 + e.Report.Norm));
            Assert.Equal(e.Report.DiscardedNorm, a.Report.DiscardedNorm, tolerance * (1 + e.Report.Norm));
            Assert.InRange(Deltas.Distance(e.Delta, a.Delta), 0, tolerance * (1e-3 + Deltas.Norm(e.Delta)));
            Assert.Equal(e.Report.Parents.Select(p => p is null), a.Report.Parents.Select(p => p is null));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Bits_do_not_depend_on_how_many_modules_are_computed_at_once(string name)
    {
        var (plan, inputs) = Case(name);
        Assert.Equal(Bits(Run(plan, inputs, 1)), Bits(Run(plan, inputs, 3)));
    }

    private static (MergePlan Plan, Adapter[] Inputs) Case(string name)
    {
        var method = MergeMethods.Find(name)!;
        var library = method.Class == MethodClass.Factorwise
            ? [.. Enumerable.Range(1, 3).Select(seed => Libraries.Adapter(seed, 4, ("layer.0.q", 48, 40), ("layer.1.up", 64, 24)))]
            : Libraries.Mixed();
        Adapter[] inputs = [.. library.Take(Math.Clamp(3, method.MinInputs, method.MaxInputs))];
        var recipe = MergeRecipe.Over(name, [.. new[] { 0.5, 0.3, 0.7 }.Take(inputs.Length)]);
        if (method.Parameter("density") is not null)
            recipe = recipe.With("density", 0.5);
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
        return (plan, inputs);
    }

    private static IEnumerable<MergedModule> Run(MergePlan plan, Adapter[] inputs, int parallelism) =>
        TorchMerge.Run(plan, inputs, new(KernelDevice.Cpu, parallelism), cancellation: TestContext.Current.CancellationToken);

    private static List<long> Bits(IEnumerable<MergedModule> modules) =>
        [.. modules.SelectMany(m => m.Delta.B.Values.Concat(m.Delta.A.Values)).Select(BitConverter.DoubleToInt64Bits)];
}

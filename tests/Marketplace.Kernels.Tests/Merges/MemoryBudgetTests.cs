using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;

namespace Marketplace.Kernels.Tests.Merges;

public class MemoryBudgetTests
{
    private static readonly TargetModule[] Layers =
        [.. Enumerable.Range(0, 12).Select(i => new TargetModule($"layer.{i:00}", ModuleKind.Linear, 64 + i, 48, 4, 1))];

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 3)]
    [InlineData(100, 4)]
    public void Only_as_many_modules_as_fit_the_memory_are_computed_at_once(int fitting, int expected)
    {
        var (now, most) = (0, 0);
        var gate = new Lock();
        using var enough = new ManualResetEventSlim();
        var adapter = Adapter(() =>
        {
            lock (gate)
            {
                most = Math.Max(most, ++now);
                if (now >= expected)
                    enough.Set();
            }

            // The first ones wait until as many are there as fit: more than those never come.
            enough.Wait(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            lock (gate)
                now--;
        });
        var plan = Plan(adapter);
        var results = Run(plan, adapter, 4, fitting * MergeEstimate.Of(plan).PeakBytes).ToList();
        Assert.Equal(Layers.Length, results.Count);
        Assert.Equal(expected, most);
    }

    [Fact]
    public void Bytes_do_not_depend_on_the_memory()
    {
        var adapter = Adapter(() => { });
        var plan = Plan(adapter);
        Assert.Equal(Bits(long.MaxValue), Bits(MergeEstimate.Of(plan).PeakBytes));

        List<long> Bits(long memory) =>
            [.. Run(plan, adapter, 4, memory).SelectMany(m => m.Delta.B.Values.Concat(m.Delta.A.Values)).Select(BitConverter.DoubleToInt64Bits)];
    }

    [Fact]
    public void A_module_that_needs_more_than_there_is_fails_before_anything_is_read()
    {
        var read = 0;
        var adapter = Adapter(() => Interlocked.Increment(ref read));
        var plan = Plan(adapter);
        var largest = MergeEstimate.Of(plan).PeakBytes;
        var failure = Assert.Throws<MergeMemoryException>(() => Run(plan, adapter, 4, largest - 1).Count());
        Assert.Equal("layer.11", failure.Module.Module);
        Assert.Equal(0, read);
    }

    [Fact]
    public async Task Who_waits_for_memory_can_be_cancelled_and_holds_up_nobody()
    {
        var gate = new MemoryGate(100);
        using var source = new CancellationTokenSource();
        var first = gate.Enter(80, TestContext.Current.CancellationToken);
        var waiting = Task.Run(() => gate.Enter(90, source.Token), TestContext.Current.CancellationToken);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        using var third = gate.Enter(20, TestContext.Current.CancellationToken);
        first.Dispose();
    }

    [Fact]
    public void The_time_of_each_module_is_reported() =>
        Assert.All(Run(Plan(Adapter(() => { })), Adapter(() => { }), 2, long.MaxValue), m => Assert.True(m.Report.Seconds > 0));

    private static MergePlan Plan(Adapter adapter)
    {
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over("linear", 1), [adapter], out var plan, out var problems), string.Join('\n', problems));
        return plan;
    }

    private static IEnumerable<MergedModule> Run(MergePlan plan, Adapter adapter, int parallelism, long memory) => TorchMerge.Run(
        plan, [adapter], new(KernelDevice.Cpu, parallelism) { MemoryBytes = memory }, cancellation: TestContext.Current.CancellationToken);

    private static Adapter Adapter(Action onRead)
    {
        var source = Libraries.Adapter(1, 4, [.. Layers.Select(l => (l.Name, l.Out, l.In))]);
        return Libraries.Adapter(Layers, m =>
        {
            onRead();
            return source.Delta(m.Name)!;
        });
    }
}

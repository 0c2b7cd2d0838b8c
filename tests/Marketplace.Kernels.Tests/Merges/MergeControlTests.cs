using System.Collections.Concurrent;
using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;

namespace Marketplace.Kernels.Tests.Merges;

public class MergeControlTests
{
    private const int Modules = 40;

    private static readonly TargetModule[] Layers =
        [.. Enumerable.Range(0, Modules).Select(i => new TargetModule($"layer.{i:00}", ModuleKind.Linear, 8, 8, 2, 1))];

    [Fact]
    public void Progress_is_told_in_the_order_of_the_modules()
    {
        var (adapter, _) = Reading(() => { });
        var told = new List<MergeProgress>();
        var order = Run(adapter, 4, told.Add, TestContext.Current.CancellationToken).Select(m => m.Module.Name).ToList();
        Assert.Equal(Layers.Select(l => l.Name), order);
        Assert.Equal(Layers.Select((l, i) => (i + 1, Modules, l.Name)), told.Select(p => (p.Done, p.Total, p.Module)));
        Assert.All(told, p => Assert.Equal((double)p.Done / Modules, p.Share, 1e-9)); // modules of one size
    }

    [Fact]
    public void Cancelling_stops_before_the_next_modules()
    {
        using var source = new CancellationTokenSource();
        var (adapter, read) = Reading(() => { });
        Assert.ThrowsAny<OperationCanceledException>(() =>
            Run(adapter, 2, p => { if (p.Done == 5) source.Cancel(); }, source.Token).Count());
        Assert.InRange(read.Count, 5, 5 + (2 * 2));
    }

    [Fact]
    public void No_input_is_read_after_the_caller_stops_enumerating()
    {
        var reading = 0;
        var (adapter, read) = Reading(() =>
        {
            Interlocked.Increment(ref reading);
            Thread.Sleep(20);
            Interlocked.Decrement(ref reading);
        });
        foreach (var _ in Run(adapter, 4, null, TestContext.Current.CancellationToken))
            break;
        Assert.Equal(0, Volatile.Read(ref reading));
        Assert.InRange(read.Count, 1, 8);
    }

    [Fact]
    public void An_input_that_cannot_be_read_ends_the_merge_with_its_error()
    {
        var reads = 0;
        var (adapter, _) = Reading(() =>
        {
            if (Interlocked.Increment(ref reads) == 7)
                throw new IOException("gone");
        });
        Assert.Equal("gone", Assert.Throws<IOException>(
            () => Run(adapter, 3, null, TestContext.Current.CancellationToken).Count()).Message);
    }

    [Fact]
    public void As_many_modules_as_asked_for_are_computed_at_once()
    {
        var (now, most) = (0, 0);
        var gate = new Lock();
        using var three = new ManualResetEventSlim();
        var (adapter, _) = Reading(() =>
        {
            lock (gate)
            {
                most = Math.Max(most, ++now);
                if (now == 3)
                    three.Set();
            }

            // The first ones wait for each other, however long the thread pool takes to give the third its thread.
            three.Wait(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            lock (gate)
                now--;
        });
        Assert.Equal(Modules, Run(adapter, 3, null, TestContext.Current.CancellationToken).Count());
        Assert.Equal(3, most);
    }

    [Fact]
    public void The_identity_names_version_device_and_instruction_set()
    {
        var identity = KernelIdentity.Of(KernelDevice.Cpu);
        Assert.Matches(@"^2\+libtorch-\d+\.\d+\.\d+", identity.Version);
        Assert.Equal("cpu", identity.Device);
        Assert.Matches("^[a-z0-9]+(-(avx512|avx2|sse)-[A-Za-z]+)?$", identity.InstructionSet);
    }

    [Fact]
    public void An_unknown_device_is_not_found() => Assert.Null(KernelDevice.Find("tpu"));

    private static IEnumerable<MergedModule> Run(Adapter adapter, int parallelism, Action<MergeProgress>? progress, CancellationToken cancellation)
    {
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over("linear", 1), [adapter], out var plan, out _));
        return TorchMerge.Run(plan, [adapter], new(KernelDevice.Cpu, parallelism), progress, cancellation);
    }

    private static (Adapter Adapter, ConcurrentBag<string> Read) Reading(Action onRead)
    {
        var read = new ConcurrentBag<string>();
        var source = Libraries.Adapter(1, 2, [.. Layers.Select(l => (l.Name, l.Out, l.In))]);
        return (Libraries.Adapter(Layers, m =>
        {
            onRead();
            read.Add(m.Name);
            return source.Delta(m.Name)!;
        }), read);
    }
}

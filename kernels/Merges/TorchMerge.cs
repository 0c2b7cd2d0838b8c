using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Storage.Jobs;

namespace Marketplace.Kernels.Merges;

/// <summary>Where the modules of a merge are computed, and how many side by side.</summary>
/// <param name="Device">The device.</param>
/// <param name="Parallelism">Modules computed at once; the result's bytes don't depend on it.</param>
public sealed record MergeResources(KernelDevice Device, int Parallelism)
{
    /// <summary>All processors.</summary>
    public static MergeResources AllProcessors { get; } = new(KernelDevice.Cpu, Environment.ProcessorCount);
}

/// <summary>How far a merge is.</summary>
/// <param name="Done">Modules finished.</param>
/// <param name="Total">All modules.</param>
/// <param name="Module">The one finished last.</param>
public readonly record struct MergeProgress(int Done, int Total, string Module);

/// <summary>Carries out merge plans with libtorch: what <see cref="Merging.Run"/> of the core computes, by faster kernels.</summary>
public static class TorchMerge
{
    /// <summary>
    /// Computes the modules side by side and yields them in the plan's order, a few ahead of the caller, so that neither the inputs
    /// nor the result have to be in memory whole. When the enumeration ends, however it ends, nothing reads the inputs any more.
    /// </summary>
    /// <param name="plan">The plan.</param>
    /// <param name="inputs">The adapters it was made for.</param>
    /// <param name="resources">Where to compute.</param>
    /// <param name="progress">Told after each module, in the plan's order, on the enumerating thread.</param>
    /// <param name="cancellation">Looked at between modules and, where a module takes long, within them.</param>
    /// <exception cref="OperationCanceledException">While enumerating: the token was cancelled.</exception>
    /// <exception cref="NotFiniteNumberException">While enumerating: a factor that has to be recompressed holds NaN or infinity.</exception>
    public static IEnumerable<MergedModule> Run(
        MergePlan plan, IReadOnlyList<Adapter> inputs, MergeResources resources,
        Action<MergeProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(resources.Parallelism, 1);
        var kernels = new TorchKernels(resources.Device);
        return Enumerate();

        IEnumerable<MergedModule> Enumerate()
        {
            using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            var scheduler = new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, resources.Parallelism).ConcurrentScheduler;
            var ahead = new Queue<Task<MergedModule>>();
            var next = 0;
            try
            {
                for (var done = 0; done < plan.Modules.Length; done++)
                {
                    for (; next < plan.Modules.Length && ahead.Count < 2 * resources.Parallelism; next++)
                        ahead.Enqueue(Start(plan.Modules[next], scheduler, abandoned.Token));
                    cancellation.ThrowIfCancellationRequested();
                    var merged = ahead.Peek().GetAwaiter().GetResult();
                    ahead.Dequeue();
                    progress?.Invoke(new(done + 1, plan.Modules.Length, merged.Module.Name));
                    yield return merged;
                }
            }
            finally
            {
                abandoned.Cancel();
                foreach (Task started in ahead)
                    started.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
            }
        }

        Task<MergedModule> Start(PlannedModule module, TaskScheduler scheduler, CancellationToken token) =>
            Task.Factory.StartNew(() => TimedMerge.Merge(module, inputs, kernels, token), token, TaskCreationOptions.None, scheduler);
    }
}

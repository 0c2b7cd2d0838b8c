using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Storage.Jobs;

namespace Marketplace.Kernels.Merges;

/// <summary>Where the modules of a merge are computed, and how many side by side.</summary>
/// <param name="Device">The device.</param>
/// <param name="Parallelism">Modules computed at once; the result's bytes don't depend on it.</param>
public sealed record MergeResources(KernelDevice Device, int Parallelism)
{
    private const double Share = 0.6; // of what the process may use; the rest is the runtime's, libtorch's and the mapped files'

    /// <summary>
    /// Memory that modules may take together, by their estimates: fewer are computed at once where it would not suffice. The result's bytes don't depend on it.
    /// </summary>
    public long MemoryBytes { get; init; } = (long)(Share * GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    /// <summary>All processors.</summary>
    public static MergeResources AllProcessors { get; } = new(KernelDevice.Cpu, Environment.ProcessorCount);
}

/// <summary>How far a merge is.</summary>
/// <param name="Done">Modules finished.</param>
/// <param name="Total">All modules.</param>
/// <param name="Module">The one finished last.</param>
/// <param name="Share">The share of the work that is done, by the estimated operations.</param>
public readonly record struct MergeProgress(int Done, int Total, string Module, double Share);

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
    /// <exception cref="MergeMemoryException">While enumerating, before anything is computed: a module takes more memory than there is for all.</exception>
    /// <exception cref="NotFiniteNumberException">While enumerating: a factor that has to be recompressed holds NaN or infinity.</exception>
    public static IEnumerable<MergedModule> Run(
        MergePlan plan, IReadOnlyList<Adapter> inputs, MergeResources resources,
        Action<MergeProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(resources.Parallelism, 1);
        var kernels = new TorchKernels(resources.Device);
        var estimates = MergeEstimate.Of(plan);
        var memory = new MemoryGate(resources.MemoryBytes);
        return Enumerate();

        IEnumerable<MergedModule> Enumerate()
        {
            if (estimates.Modules.FirstOrDefault(m => m.PeakBytes > resources.MemoryBytes) is { } tooLarge)
                throw new MergeMemoryException(tooLarge, resources.MemoryBytes);
            var modules = MergePrepass.Run(plan, inputs, kernels, resources.Parallelism, cancellation).Modules;
            using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            var scheduler = new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, resources.Parallelism).ConcurrentScheduler;
            var ahead = new Queue<Task<MergedModule>>();
            var next = 0;
            var flops = 0d;
            try
            {
                for (var done = 0; done < modules.Length; done++)
                {
                    for (; next < modules.Length && ahead.Count < 2 * resources.Parallelism; next++)
                        ahead.Enqueue(Start(modules[next], estimates.Modules[next], scheduler, abandoned.Token));
                    cancellation.ThrowIfCancellationRequested();
                    var merged = ahead.Peek().GetAwaiter().GetResult();
                    ahead.Dequeue();
                    flops += estimates.Modules[done].Flops;
                    progress?.Invoke(new(done + 1, modules.Length, merged.Module.Name, flops / estimates.Flops));
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

        Task<MergedModule> Start(PlannedModule module, ModuleEstimate estimate, TaskScheduler scheduler, CancellationToken token) =>
            Task.Factory.StartNew(() => Compute(module, estimate, token), token, TaskCreationOptions.None, scheduler);

        MergedModule Compute(PlannedModule module, ModuleEstimate estimate, CancellationToken token)
        {
            using var admitted = memory.Enter(estimate.PeakBytes, token);
            return TimedMerge.Merge(module, inputs, kernels, token);
        }
    }
}

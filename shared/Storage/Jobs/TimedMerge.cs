using System.Diagnostics;
using Marketplace.Core;
using Marketplace.Core.Merges;

namespace Marketplace.Storage.Jobs;

/// <summary>Computes modules with a watch in hand, which Core does without.</summary>
public static class TimedMerge
{
    /// <summary><see cref="Merging.Merge"/>, with the seconds that it took in the module's report.</summary>
    public static MergedModule Merge(PlannedModule module, IReadOnlyList<Adapter> inputs, IMergeKernels kernels, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        var merged = Merging.Merge(module, inputs, kernels, cancellation);
        return merged with { Report = merged.Report with { Seconds = Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 6) } };
    }
}

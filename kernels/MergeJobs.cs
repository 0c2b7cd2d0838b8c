using Marketplace.Kernels.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Kernels;

/// <summary>Carries out merge jobs with libtorch.</summary>
public sealed class MergeJobs(Derivation derivation, MergeResources resources)
{
    /// <summary>Runs a job and returns its result as JSON.</summary>
    public Task<string> RunAsync(JobRecord job, JobProgressReporter progress, CancellationToken cancellationToken) => derivation.RunAsync(
        job,
        Name(KernelIdentity.Of(resources.Device)),
        (plan, inputs, reporter, stop) => TorchMerge.Run(plan, inputs, resources, p => reporter.Report(p.Done, p.Total, p.Module), stop),
        progress,
        cancellationToken);

    // As lineages show it.
    private static string Name(KernelIdentity kernel) => $"{kernel.Version} {kernel.Device} {kernel.InstructionSet}";
}

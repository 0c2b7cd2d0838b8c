using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Kernels;

/// <summary>Carries out merge jobs with libtorch.</summary>
public sealed class MergeJobs(Derivation derivation, MergeResources resources)
{
    /// <summary>Runs a job and returns its result as JSON.</summary>
    /// <exception cref="JobFailureException">The inputs can't be combined, the memory does not suffice, or the result fails its checks.</exception>
    public async Task<string> RunAsync(JobRecord job, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        try
        {
            return await derivation.RunAsync(
                job,
                Name(KernelIdentity.Of(resources.Device)),
                (plan, inputs, reporter, stop) => TorchMerge.Run(plan, inputs, resources, p => reporter.Report(p.Done, p.Total, p.Module, p.Share), stop),
                progress,
                cancellationToken);
        }
        catch (MergeMemoryException e)
        {
            throw new JobFailureException("memory-budget", e.Message);
        }
    }

    // As lineages show it.
    private static string Name(KernelIdentity kernel) => $"{kernel.Version} {kernel.Device} {kernel.InstructionSet}";
}

using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Kernels;

/// <summary>Carries out merges, and cluster builds, with libtorch.</summary>
public sealed class MergeJobs(Derivation derivation, CollectionDerivation collections, MergeResources resources)
{
    /// <summary>Runs a job and returns its result as JSON.</summary>
    /// <exception cref="JobFailureException">The inputs can't be combined, the memory does not suffice, or the result fails its checks.</exception>
    public async Task<string> RunAsync(JobRecord job, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        try
        {
            var kernel = KernelIdentity.Of(resources.Device).ToString();
            return await (job.Kind == JobKind.LibraryBuild
                ? collections.RunAsync(job, kernel, Compute, progress, cancellationToken)
                : derivation.RunAsync(job, kernel, Compute, progress, cancellationToken));
        }
        catch (MergeMemoryException e)
        {
            throw new JobFailureException("memory-budget", e.Message);
        }
    }

    private IEnumerable<MergedModule> Compute(MergePlan plan, IReadOnlyList<Adapter> inputs, JobProgressReporter progress, CancellationToken stop) =>
        TorchMerge.Run(plan, inputs, resources, p => progress.Report(p.Done, p.Total, p.Module, p.Share), stop);
}

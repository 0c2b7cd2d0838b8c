using Marketplace.Core.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Subtractions;

/// <summary>Carries out GenKnowSub with Core's numerics and publishes the residual.</summary>
public sealed class RunSubtraction(Derivation derivation, CollectionDerivation collections)
{
    internal Task<string> RunAsync(JobRecord job, JobProgressReporter progress, CancellationToken cancellationToken) =>
        derivation.RunAsync(job, kernel: null, Compute, progress, cancellationToken);

    internal Task<string> RunBatchAsync(JobRecord job, JobProgressReporter progress, CancellationToken cancellationToken) =>
        collections.RunAsync(job, kernel: null, Compute, progress, cancellationToken);

    private static IEnumerable<MergedModule> Compute(
        MergePlan plan, IReadOnlyList<Core.Adapter> inputs, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        var done = 0;
        foreach (var module in plan.Modules)
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress.Report(done++, plan.Modules.Length, module.Module.Name);
            yield return TimedMerge.Merge(module, inputs, ReferenceKernels.Instance, cancellationToken);
        }
    }
}

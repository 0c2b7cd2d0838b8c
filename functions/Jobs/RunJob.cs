using Marketplace.Functions.Clusterings;
using Marketplace.Functions.Routers;
using Marketplace.Functions.Subtractions;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Jobs;

/// <summary>Runs a job of the functions' own queue: what Core computes without the kernels.</summary>
public static class RunJob
{
    public static async Task Handle(IServiceProvider services, string jobId, CancellationToken cancellationToken)
    {
        await services.GetRequiredService<JobRunner>().RunAsync(
            jobId,
            (job, progress, stop) => job.Kind switch
            {
                JobKind.Subtraction => services.GetRequiredService<RunSubtraction>().RunAsync(job, progress, stop),
                JobKind.SubtractionBatch => services.GetRequiredService<RunSubtraction>().RunBatchAsync(job, progress, stop),
                JobKind.RouterExport => services.GetRequiredService<RunRouterExport>().RunAsync(job, progress, stop),
                JobKind.Clustering => services.GetRequiredService<RunClustering>().RunAsync(job, progress, stop),
                _ => throw new JobFailureException("internal-error", $"Jobs of kind '{job.Kind}' do not belong on this queue."),
            },
            cancellationToken);
        AuditScope.NothingDone(); // but what the job's end has left, if this delivery was its end
    }
}

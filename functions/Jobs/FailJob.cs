using Marketplace.Storage;
using Marketplace.Storage.Telemetry;

namespace Marketplace.Functions.Jobs;

/// <summary>Ends a job whose message failed too often.</summary>
public static class FailJob
{
    public static async Task Handle(IServiceProvider services, string jobId, CancellationToken cancellationToken)
    {
        var jobs = services.GetRequiredService<MarketplaceStorage>().Jobs;
        if (await jobs.GetAsync(jobId, cancellationToken) is { IsTerminal: false } job
            && await jobs.FinishAsync(
                job, JobStatus.Failed, null, "poisoned", "The job failed too often; the operator's log says why. Asking again starts a new attempt.", cancellationToken) == UpdateResult.Updated)
        {
            var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
            MarketplaceMeter.OnJobEnded(job.Kind, JobStatus.Failed, now - (job.StartedAt ?? now));
        }

        AuditScope.NothingDone(); // but what the job's end has left
    }
}

using Marketplace.Kernels.Composition;
using Marketplace.Kernels.Evaluation;
using Marketplace.Kernels.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Marketplace.Kernels;

/// <summary>Feeds the kernels from their queue: lease renewal, poison after too many deliveries and a graceful stop are the pump's.</summary>
internal sealed class KernelConsumer(MarketplaceStorage storage, JobRunner runner, MergeJobs merges, EvaluationJobs evaluations, CompositionJobs compositions, MergeResources resources, ILogger<KernelConsumer> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await storage.CreateAllAsync(stoppingToken);
        logger.LogInformation("Kernels are ready: {Kernel}", KernelIdentity.Of(resources.Device));
        await storage.Queues.Pump(QueueNames.KernelJobs, RunAsync, logger).RunAsync(stoppingToken);
    }

    private async Task RunAsync(string id, CancellationToken ct)
    {
        using var scope = AuditScope.Begin($"queue:{QueueNames.KernelJobs}");
        await runner.RunAsync(id, RunAsync, ct);
    }

    private Task<string> RunAsync(JobRecord job, JobProgressReporter progress, CancellationToken ct) =>
        job.Kind == JobKind.Evaluation ? evaluations.RunAsync(job, progress, ct)
        : job.Kind == JobKind.Composition ? compositions.RunAsync(job, progress, ct) : merges.RunAsync(job, progress, ct);
}

using Marketplace.Storage;

namespace Marketplace.Functions.Hosting;

/// <summary>Runs the table's queue functions in process, one pump for each queue.</summary>
internal sealed class QueueTriggers(IServiceProvider services, MarketplaceStorage storage, ILogger<QueueTriggers> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(FunctionTable.Queues.Select(function =>
            storage.Queues.Pump(function.Queue, (id, cancellationToken) => function.Handle(services, id, cancellationToken), logger).RunAsync(stoppingToken)));
}

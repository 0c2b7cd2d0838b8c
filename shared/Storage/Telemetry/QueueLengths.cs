using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;

namespace Marketplace.Storage.Telemetry;

/// <summary>
/// The gauge of the queues' lengths. Storage is asked four times a minute, whoever reads the gauge. Each instance of the function app reports the same numbers: dashboards take the largest.
/// </summary>
internal sealed class QueueLengths(MarketplaceStorage storage, TimeProvider time, ILogger<QueueLengths> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private volatile IReadOnlyList<Measurement<int>> lengths = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _ = MarketplaceMeter.Meter.CreateObservableGauge("marketplace.queue.length", () => lengths, "{message}", "Messages in a queue, those being handled included.");
        var failing = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                lengths = await ReadAsync(stoppingToken);
                failing = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // An old number would look like a queue that stands still.
                lengths = [];
                if (!failing)
                    logger.LogWarning("Lengths of queues can't be read: {Reason}", e.GetBaseException().Message);
                failing = true;
            }

            await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<IReadOnlyList<Measurement<int>>> ReadAsync(CancellationToken cancellationToken)
    {
        using var silent = SuppressInstrumentationScope.Begin();
        var queues = QueueNames.All.SelectMany(q => new[] { q, QueueNames.Poison(q) }).ToList();
        var counts = await Task.WhenAll(queues.Select(q => storage.Queues.CountAsync(q, cancellationToken)));
        return [.. queues.Zip(counts, (queue, count) => new Measurement<int>(count, new KeyValuePair<string, object?>("queue", queue)))];
    }
}

using System.Diagnostics;
using Azure.Storage.Queues;
using Marketplace.Storage.Telemetry;
using Microsoft.Extensions.Logging;

namespace Marketplace.Storage;

/// <summary>The queues. A message is an id, and the trace it was sent in; what the id names is read from its row.</summary>
public sealed class JobQueue
{
    private readonly QueueServiceClient service;
    private readonly Names names;
    private readonly StorageOptions options;

    internal JobQueue(QueueServiceClient service, Names names, StorageOptions options) =>
        (this.service, this.names, this.options) = (service, names, options);

    /// <summary>The client of a queue named in <see cref="QueueNames"/>.</summary>
    public QueueClient Client(string queue) => service.GetQueueClient(names.Queue(queue));

    /// <summary>Sends a message; whoever handles it goes on with the present trace.</summary>
    public async Task SendAsync(string queue, string id, CancellationToken ct = default)
    {
        using var span = MarketplaceActivity.Source.StartActivity($"send {queue}", ActivityKind.Producer);
        span?.SetTag("messaging.system", "azure_queue_storage").SetTag("messaging.operation.type", "send").SetTag("messaging.operation.name", "send")
            .SetTag("messaging.destination.name", queue).SetTag("marketplace.message", id);
        await Client(queue).SendMessageAsync(MessageText.Of(id).ToString(), ct);
    }

    /// <summary>About how many messages are in a queue, hidden ones included.</summary>
    public async Task<int> CountAsync(string queue, CancellationToken ct = default) => (await Client(queue).GetPropertiesAsync(ct)).Value.ApproximateMessagesCount;

    /// <summary>A consumer of a queue, to be run; messages that fail too often go to its poison queue, unless it is one itself.</summary>
    public QueuePump Pump(string queue, Func<string, CancellationToken, Task> handler, ILogger logger, int parallelism = 1) =>
        new(queue, Client(queue), QueueNames.IsPoison(queue) ? null : Client(QueueNames.Poison(queue)), handler, options, logger) { Parallelism = parallelism };
}

using Azure.Storage.Queues;
using Microsoft.Extensions.Logging;

namespace Marketplace.Storage;

/// <summary>The queues. A message is an id and nothing else; what it names is read from its row.</summary>
public sealed class JobQueue
{
    private readonly QueueServiceClient service;
    private readonly Names names;
    private readonly StorageOptions options;

    internal JobQueue(QueueServiceClient service, Names names, StorageOptions options) =>
        (this.service, this.names, this.options) = (service, names, options);

    /// <summary>The client of a queue named in <see cref="QueueNames"/>.</summary>
    public QueueClient Client(string queue) => service.GetQueueClient(names.Queue(queue));

    /// <summary>Sends a message.</summary>
    public async Task SendAsync(string queue, string id, CancellationToken ct = default) => await Client(queue).SendMessageAsync(id, ct);

    /// <summary>A consumer of a queue, to be run; messages that fail too often go to its poison queue, unless it is one itself.</summary>
    public QueuePump Pump(string queue, Func<string, CancellationToken, Task> handler, ILogger logger, int parallelism = 1) =>
        new(Client(queue), QueueNames.IsPoison(queue) ? null : Client(QueueNames.Poison(queue)), handler, options, logger) { Parallelism = parallelism };
}

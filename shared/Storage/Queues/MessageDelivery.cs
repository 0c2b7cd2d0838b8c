using System.Diagnostics;
using Marketplace.Storage.Telemetry;

namespace Marketplace.Storage;

/// <summary>
/// One delivery of a message, whoever received it, the pump or the host of Azure Functions: its text is read here, the age and poison of messages are counted, and the handler runs in a
/// span that continues the sender's trace.
/// </summary>
/// <param name="Queue">The queue, as <see cref="QueueNames"/> has it.</param>
/// <param name="Text">The message as it was received.</param>
/// <param name="Count">Which delivery of it this is, from 1.</param>
/// <param name="Inserted">When it came into the queue, if that is known.</param>
public readonly record struct MessageDelivery(string Queue, string Text, long Count, DateTimeOffset? Inserted)
{
    /// <summary>Runs the handler with the message's id.</summary>
    public async Task RunAsync(Func<string, CancellationToken, Task> handler, CancellationToken cancellationToken)
    {
        var message = MessageText.Parse(Text);
        if (Inserted is { } since)
            MarketplaceMeter.OnReceived(Queue, DateTimeOffset.UtcNow - since);
        // Here, and not where the message is moved, since on Azure Functions the platform moves it.
        if (Count == 1 && QueueNames.IsPoison(Queue))
            MarketplaceMeter.OnPoisoned(QueueNames.Healthy(Queue));

        using var span = MarketplaceActivity.Receive($"process {Queue}", message.Trace);
        span.SetTag("messaging.system", "azure_queue_storage").SetTag("messaging.operation.type", "process").SetTag("messaging.operation.name", "process")
            .SetTag("messaging.destination.name", Queue).SetTag("marketplace.message", message.Id).SetTag("marketplace.delivery", Count);
        try
        {
            await handler(message.Id, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            span.SetTag("marketplace.stopped", true);
            throw;
        }
        catch (Exception e)
        {
            span.Fail(e.GetType().FullName!);
            throw;
        }
    }
}

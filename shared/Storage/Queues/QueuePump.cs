using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;
using Microsoft.Extensions.Logging;
using OpenTelemetry;

namespace Marketplace.Storage;

/// <summary>
/// Receives messages and hands them to a handler, which may run twice for one message: after a crash, a lost lease or a failed delete.
/// A message whose handler throws becomes visible again after a delay; after the last delivery it is moved to the poison queue.
/// </summary>
public sealed class QueuePump
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);

    private readonly string name;
    private readonly QueueClient queue;
    private readonly QueueClient? poison;
    private readonly Func<string, CancellationToken, Task> handler;
    private readonly StorageOptions options;
    private readonly ILogger logger;

    /// <summary>A consumer of <paramref name="queue"/>, which <see cref="QueueNames"/> calls <paramref name="name"/>; without a poison queue, messages are tried for ever.</summary>
    public QueuePump(
        string name, QueueClient queue, QueueClient? poison, Func<string, CancellationToken, Task> handler, StorageOptions options, ILogger logger) =>
        (this.name, this.queue, this.poison, this.handler, this.options, this.logger) = (name, queue, poison, handler, options, logger);

    /// <summary>How many messages are handled at once.</summary>
    public int Parallelism { get; init; } = 1;

    /// <summary>
    /// Runs until stopped. Stopping ends receiving at once; handlers get <see cref="StorageOptions.StopTimeout"/> to finish and are cancelled then.
    /// </summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var abort = new CancellationTokenSource();
        await using var stopping = stop.Register(() => abort.CancelAfter(options.StopTimeout));
        await Task.WhenAll(Enumerable.Range(0, Parallelism).Select(_ => ConsumeAsync(stop, abort.Token)));
    }

    private async Task ConsumeAsync(CancellationToken stop, CancellationToken abort)
    {
        var pause = FirstPause;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (await ReceiveAsync(abort) is { } message)
                {
                    pause = FirstPause;
                    await DeliverAsync(message, abort);
                    continue;
                }
                await Task.Delay(pause, stop);
                pause = pause * 2 < options.PollInterval ? pause * 2 : options.PollInterval;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                logger.LogError(e, "Receiving from {Queue} failed", name);
                await Task.Delay(options.PollInterval, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task<QueueMessage?> ReceiveAsync(CancellationToken abort)
    {
        // A look into an empty queue would be a trace of its own, many times a minute.
        using var silent = SuppressInstrumentationScope.Begin();
        // Not cancelled by a stop: a message received meanwhile would stay hidden for a lease.
        return (await queue.ReceiveMessageAsync(options.MessageLease, abort)).Value;
    }

    private async Task DeliverAsync(QueueMessage message, CancellationToken abort)
    {
        var id = MessageText.Parse(message.MessageText).Id;
        var lease = new MessageLease(name, queue, message, options.MessageLease, logger);
        if (message.DequeueCount > options.MaxDeliveries && poison is not null)
        {
            logger.LogError("{MessageId} in {Queue} was delivered {Count} times and nothing was heard of it; it is poison", id, name, options.MaxDeliveries);
            await lease.MoveAsync(poison);
            return;
        }
        var delivery = new MessageDelivery(name, message.MessageText, message.DequeueCount, message.InsertedOn);
        var failure = await lease.HoldAsync(ct => delivery.RunAsync(handler, ct), abort);
        if (failure is null)
        {
            await lease.DeleteAsync();
        }
        else if (failure is OperationCanceledException && abort.IsCancellationRequested)
        {
            logger.LogInformation("The handler of {MessageId} in {Queue} was stopped; the message is delivered again", id, name);
            await lease.ReleaseAsync(TimeSpan.Zero);
        }
        else if (message.DequeueCount >= options.MaxDeliveries && poison is not null)
        {
            logger.LogError(failure, "Delivery {Count} of {MessageId} in {Queue} failed; the message is poison", message.DequeueCount, id, name);
            await lease.MoveAsync(poison);
        }
        else
        {
            logger.LogWarning(failure, "Delivery {Count} of {MessageId} in {Queue} failed", message.DequeueCount, id, name);
            await lease.ReleaseAsync(options.RetryDelay * Math.Min(message.DequeueCount, 30));
        }
    }
}

using Azure;
using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;
using Microsoft.Extensions.Logging;
using OpenTelemetry;

namespace Marketplace.Storage;

/// <summary>Our hold on a received message. Once it is lost, somebody else may have the message, and every call here does nothing.</summary>
internal sealed class MessageLease(string name, QueueClient queue, QueueMessage message, TimeSpan length, ILogger logger)
{
    private string receipt = message.PopReceipt;
    private bool lost;

    /// <summary>Runs work while renewing the lease at a third of its length; work is cancelled when the lease is lost. Returns what it threw.</summary>
    public async Task<Exception?> HoldAsync(Func<CancellationToken, Task> work, CancellationToken abort)
    {
        using var working = CancellationTokenSource.CreateLinkedTokenSource(abort);
        using var done = new CancellationTokenSource();
        var renewing = RenewAsync(working, done.Token);
        try
        {
            await work(working.Token);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
        finally
        {
            await done.CancelAsync();
            await renewing;
        }
    }

    public Task DeleteAsync() => CallAsync(() => queue.DeleteMessageAsync(message.MessageId, receipt));

    public Task ReleaseAsync(TimeSpan delay) => CallAsync(() => queue.UpdateMessageAsync(message.MessageId, receipt, visibilityTimeout: delay));

    public async Task MoveAsync(QueueClient target)
    {
        await CallAsync(() => target.SendMessageAsync(message.MessageText));
        await DeleteAsync();
    }

    private async Task RenewAsync(CancellationTokenSource working, CancellationToken done)
    {
        while (true)
        {
            await Task.Delay(length / 3, done).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (done.IsCancellationRequested)
                return;
            // An answer that comes later than this may find the message in other hands.
            using var inTime = new CancellationTokenSource(length / 2);
            await CallAsync(async () => receipt = (await queue.UpdateMessageAsync(message.MessageId, receipt, visibilityTimeout: length, cancellationToken: inTime.Token)).Value.PopReceipt);
            if (lost)
            {
                await working.CancelAsync();
                return;
            }
        }
    }

    private async Task CallAsync(Func<Task> call)
    {
        if (lost)
            return;
        try
        {
            // Renewals and deletions are no part of the work that traces show.
            using var silent = SuppressInstrumentationScope.Begin();
            await call();
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException or OperationCanceledException)
        {
            lost = true;
            logger.LogWarning(e, "The lease of {MessageId} in {Queue} is lost", MessageText.Parse(message.MessageText).Id, name);
        }
    }
}

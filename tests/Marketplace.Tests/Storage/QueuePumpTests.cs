using System.Collections.Concurrent;
using Azure.Storage.Queues;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class QueuePumpTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private const string Queue = QueueNames.KernelJobs;

    private readonly ConcurrentQueue<string> handled = new();

    [Fact]
    public async Task Every_message_is_handled_once_and_gone()
    {
        var ids = Enumerable.Range(0, 10).Select(i => $"{i:D4}").ToArray();
        foreach (var id in ids)
            await Storage.Queues.SendAsync(Queue, id, Ct);

        await using (Run(Remember, parallelism: 3))
            await UntilAsync(async () => await CountAsync(Queue) == 0);

        Assert.Equal(ids, handled.Order());
    }

    [Fact]
    public async Task A_lease_is_renewed_while_the_handler_runs()
    {
        await Storage.Queues.SendAsync(Queue, "slow", Ct);

        await using (Run(SlowAsync))
        {
            // A second consumer would get the message as soon as the lease ran out.
            await using (Run(Remember))
                await UntilAsync(async () => await CountAsync(Queue) == 0);
        }

        Assert.Equal(["slow"], handled);

        async Task SlowAsync(string id, CancellationToken ct)
        {
            await Task.Delay(Storage.Options.MessageLease * 2.5, ct);
            handled.Enqueue(id);
        }
    }

    [Fact]
    public async Task A_message_whose_handler_throws_is_delivered_again()
    {
        await Storage.Queues.SendAsync(Queue, "flaky", Ct);

        await using (Run(FlakyAsync))
            await UntilAsync(async () => await CountAsync(Queue) == 0);

        Assert.Equal(3, handled.Count);
        Assert.Equal(0, await CountAsync(QueueNames.Poison(Queue)));

        Task FlakyAsync(string id, CancellationToken ct)
        {
            handled.Enqueue(id);
            return handled.Count < 3 ? throw new InvalidOperationException("not yet") : Task.CompletedTask;
        }
    }

    [Fact]
    public async Task After_five_deliveries_a_message_is_poison_and_handled_there()
    {
        await Storage.Queues.SendAsync(Queue, "bad", Ct);
        await Storage.Queues.SendAsync(Queue, "good", Ct);
        var buried = new ConcurrentQueue<string>();

        await using (Run((id, ct) => id == "bad" ? FailAsync(id) : Remember(id, ct)))
        {
            await UntilAsync(async () => await CountAsync(QueueNames.Poison(Queue)) == 1 && await CountAsync(Queue) == 0);
        }
        await using (Run((id, _) => Bury(id), QueueNames.Poison(Queue)))
            await UntilAsync(async () => await CountAsync(QueueNames.Poison(Queue)) == 0);

        Assert.Equal(5, handled.Count(id => id == "bad"));
        Assert.Equal(1, handled.Count(id => id == "good"));
        Assert.Equal(["bad"], buried);

        Task FailAsync(string id)
        {
            handled.Enqueue(id);
            throw new InvalidOperationException("always");
        }

        Task Bury(string id)
        {
            buried.Enqueue(id);
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task A_message_that_killed_its_process_five_times_is_poison_without_being_handled()
    {
        await Storage.Queues.SendAsync(Queue, "killer", Ct);
        for (var i = 0; i < Storage.Options.MaxDeliveries; i++)
        {
            // Received and never heard of again, as by a process that was killed.
            await UntilAsync(async () => (await Storage.Queues.Client(Queue).ReceiveMessageAsync(TimeSpan.FromSeconds(1), Ct)).Value is not null);
        }

        await using (Run(Remember))
            await UntilAsync(async () => await CountAsync(QueueNames.Poison(Queue)) == 1 && await CountAsync(Queue) == 0);

        Assert.Empty(handled);
    }

    [Fact]
    public async Task Poison_messages_are_tried_until_they_are_handled()
    {
        await Storage.Queues.SendAsync(QueueNames.Poison(Queue), "bad", Ct);

        await using (Run(StubbornAsync, QueueNames.Poison(Queue)))
            await UntilAsync(async () => await CountAsync(QueueNames.Poison(Queue)) == 0);

        Assert.Equal(Storage.Options.MaxDeliveries + 2, handled.Count);

        Task StubbornAsync(string id, CancellationToken ct)
        {
            handled.Enqueue(id);
            return handled.Count < Storage.Options.MaxDeliveries + 2 ? throw new InvalidOperationException("not yet") : Task.CompletedTask;
        }
    }

    [Fact]
    public async Task Losing_the_lease_cancels_the_handler()
    {
        await Storage.Queues.SendAsync(Queue, "stolen", Ct);
        var cancelled = new TaskCompletionSource();

        await using (Run(WaitAsync))
        {
            await UntilAsync(() => !handled.IsEmpty);
            await Storage.Queues.Client(Queue).ClearMessagesAsync(Ct);
            await cancelled.Task.WaitAsync(TimeSpan.FromMinutes(1), Ct);
        }

        async Task WaitAsync(string id, CancellationToken ct)
        {
            handled.Enqueue(id);
            await using var registration = ct.Register(() => cancelled.TrySetResult());
            await Task.Delay(Timeout.Infinite, ct);
        }
    }

    [Fact]
    public async Task Stopping_lets_the_handler_finish_and_receives_nothing_more()
    {
        await Storage.Queues.SendAsync(Queue, "first", Ct);
        await Storage.Queues.SendAsync(Queue, "second", Ct);
        var (started, finish) = (new TaskCompletionSource(), new TaskCompletionSource());
        var pump = Run(HoldAsync);
        await started.Task.WaitAsync(TimeSpan.FromMinutes(1), Ct);

        var stopping = pump.DisposeAsync().AsTask();
        Assert.False(stopping.IsCompleted);
        finish.SetResult();
        await stopping;

        Assert.Equal(["first"], handled);
        Assert.Equal(1, await CountAsync(Queue));

        async Task HoldAsync(string id, CancellationToken ct)
        {
            started.TrySetResult();
            await finish.Task.WaitAsync(ct);
            handled.Enqueue(id);
        }
    }

    [Fact]
    public async Task A_handler_that_does_not_end_in_time_is_cancelled_and_its_message_comes_again_at_once()
    {
        Storage.Options.StopTimeout = TimeSpan.FromMilliseconds(200);
        await Storage.Queues.SendAsync(Queue, "endless", Ct);
        var pump = Run(EndlessAsync);
        await UntilAsync(() => handled.Count == 1);

        await pump.DisposeAsync();

        Assert.NotNull((await Storage.Queues.Client(Queue).ReceiveMessageAsync(TimeSpan.FromSeconds(30), Ct)).Value);

        async Task EndlessAsync(string id, CancellationToken ct)
        {
            handled.Enqueue(id);
            await Task.Delay(Timeout.Infinite, ct);
        }
    }

    [Fact]
    public async Task Messages_are_base64_as_the_functions_host_expects()
    {
        await Storage.Queues.SendAsync(Queue, "00ff", Ct);

        var raw = new QueueClient(Storage.Options.ConnectionString, Storage.Queues.Client(Queue).Name);
        Assert.Equal("MDBmZg==", (await raw.PeekMessageAsync(Ct)).Value.MessageText);
    }

    private Task Remember(string id, CancellationToken ct)
    {
        handled.Enqueue(id);
        return Task.CompletedTask;
    }

    private Running Run(Func<string, CancellationToken, Task> handler, string queue = Queue, int parallelism = 1) =>
        new(Storage.Queues.Pump(queue, handler, NullLogger.Instance, parallelism));

    /// <summary>Messages in the queue, hidden ones too.</summary>
    private async Task<int> CountAsync(string queue) => (await Storage.Queues.Client(queue).GetPropertiesAsync(Ct)).Value.ApproximateMessagesCount;

    /// <summary>A running pump; disposing it stops it and waits.</summary>
    private sealed class Running : IAsyncDisposable
    {
        private readonly CancellationTokenSource stop = new();
        private readonly Task running;

        public Running(QueuePump pump) => running = pump.RunAsync(stop.Token);

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await running;
            stop.Dispose();
        }
    }
}

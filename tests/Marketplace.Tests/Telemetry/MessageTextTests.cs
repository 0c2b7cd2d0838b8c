using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using CsCheck;
using Marketplace.Storage;
using Marketplace.Storage.Telemetry;
using Marketplace.Tests.Storage;
using Marketplace.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Marketplace.Tests.Telemetry;

public sealed class MessageTextTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private const string Parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Fact]
    public void A_message_keeps_its_trace_through_its_text() =>
        Gen.Select(Gen.ULong[1, ulong.MaxValue], Gen.ULong[1, ulong.MaxValue], Gen.Bool, Gen.Int[0, 2].Select(i => new[] { null, "vendor=1", "a=b,c=d e" }[i])).Sample((trace, span, sampled, state) =>
        {
            var context = new ActivityContext(
                ActivityTraceId.CreateFromString($"{trace:x32}"), ActivitySpanId.CreateFromString($"{span:x16}"), sampled ? ActivityTraceFlags.Recorded : ActivityTraceFlags.None, state, isRemote: true);
            Assert.Equal(new MessageText("00ff", context), MessageText.Parse(new MessageText("00ff", context).ToString()));
        });

    [Fact]
    public void A_message_of_an_older_sender_is_its_id()
    {
        Assert.Equal(new MessageText("00ff", default), MessageText.Parse("00ff"));
        Assert.Equal("00ff", new MessageText("00ff", default).ToString());
    }

    [Theory]
    [InlineData("00ff ")]
    [InlineData("00ff nonsense")]
    [InlineData("00ff 00-00000000000000000000000000000000-b7ad6b7169203331-01")]
    [InlineData("00ff 00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")]
    [InlineData("00ff 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331")]
    [InlineData("00ff ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    [InlineData("00ff 00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01")]
    public void What_is_no_context_is_left_out_and_the_id_stays(string text)
    {
        var message = MessageText.Parse(text);
        Assert.Equal("00ff", message.Id);
        Assert.Equal(default, message.Trace.TraceId);
    }

    [Fact]
    public void A_state_that_is_too_long_or_no_text_is_not_sent_on()
    {
        foreach (var state in new[] { new string('x', 513), "a=\n", "a=é" })
            Assert.Equal($"00ff {Parent}", new MessageText("00ff", ActivityContext.TryParse(Parent, state, isRemote: true, out var context) ? context : throw new InvalidOperationException()).ToString());
    }

    [Fact]
    public async Task What_is_sent_within_an_activity_is_handled_as_its_child_with_or_without_listeners()
    {
        using var request = new Activity("request").SetIdFormat(ActivityIdFormat.W3C).Start();
        await Storage.Queues.SendAsync(QueueNames.Validations, "00ff", Ct);
        request.Stop();
        var seen = new TaskCompletionSource<(string Id, ActivityTraceId Trace)>();
        await RunAsync(QueueNames.Validations, (id, _) =>
        {
            seen.TrySetResult((id, Activity.Current!.TraceId));
            return Task.CompletedTask;
        }, () => seen.Task.IsCompleted);
        Assert.Equal(("00ff", request.TraceId), await seen.Task);
    }

    [Fact]
    public async Task A_poison_message_keeps_its_text_and_is_counted_once_where_it_is_received()
    {
        var counted = new ConcurrentQueue<string?>();
        var waited = new ConcurrentQueue<string?>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, l) => { if (instrument.Meter.Name == MarketplaceActivity.Name) l.EnableMeasurementEvents(instrument); } };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => { if (instrument.Name == "marketplace.messages.poisoned") counted.Enqueue((string?)tags[0].Value); });
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => { if (instrument.Name == "marketplace.queue.age") waited.Enqueue((string?)tags[0].Value); });
        listener.Start();
        // A queue that no other test poisons.
        var (queue, poison) = (QueueNames.FunctionsJobs, QueueNames.Poison(QueueNames.FunctionsJobs));

        await Storage.Queues.Client(queue).SendMessageAsync($"00ff {Parent} vendor=1", Ct);
        await RunAsync(queue, (_, _) => throw new InvalidOperationException("always"), () => Count(poison) == 1);
        Assert.Equal($"00ff {Parent} vendor=1", (await Storage.Queues.Client(poison).PeekMessageAsync(Ct)).Value.MessageText);

        var deliveries = 0;
        await RunAsync(poison, (id, _) => id == "00ff" && Interlocked.Increment(ref deliveries) == 3 ? Task.CompletedTask : throw new InvalidOperationException("not yet"), () => Count(poison) == 0);
        Assert.Equal(3, deliveries);
        Assert.Equal([queue], counted.Where(q => q == queue));
        Assert.Contains(queue, waited);
    }

    private int Count(string queue) => Storage.Queues.Client(queue).GetProperties(Ct).Value.ApproximateMessagesCount;

    private async Task RunAsync(string queue, Func<string, CancellationToken, Task> handler, Func<bool> done)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var running = Storage.Queues.Pump(queue, handler, NullLogger.Instance).RunAsync(stop.Token);
        for (var deadline = DateTime.UtcNow.AddMinutes(1); !done(); await Task.Delay(20, Ct))
            Assert.True(DateTime.UtcNow < deadline);
        await stop.CancelAsync();
        await running;
    }
}

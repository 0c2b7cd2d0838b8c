using Marketplace.Tests.Support;

namespace Marketplace.Tests.Crashes;

/// <summary>Kills a process at one of its writes, once: before storage hears of it, or after storage did it and before the process knows.</summary>
internal sealed class KillPoint : IDisposable
{
    private readonly TaskCompletionSource killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IDisposable watch;
    private int calls;

    public KillPoint(Stack stack, StackProcess process, Write write, bool afterwards) =>
        watch = stack.Proxy.On(call => write.Is(call, stack.Namespace) && Interlocked.Increment(ref calls) == 1, async call =>
        {
            if (afterwards)
                await call.ForwardAsync();
            await process.KillAsync();
            call.Abort();
            killed.SetResult();
        });

    /// <summary>Ends when the process is dead.</summary>
    public Task Killed => killed.Task.WaitAsync(TimeSpan.FromSeconds(60));

    public void Dispose() => watch.Dispose();
}

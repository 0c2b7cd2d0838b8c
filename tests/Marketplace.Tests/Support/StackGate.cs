namespace Marketplace.Tests.Support;

/// <summary>Holds calls of a kind until the test opens the gate.</summary>
internal sealed class StackGate : IDisposable
{
    private readonly TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IDisposable watch;

    public StackGate(StackStorageProxy proxy, Func<StackStorageCall, bool> matches) => watch = proxy.On(matches, async _ =>
    {
        arrived.TrySetResult();
        await opened.Task;
    });

    /// <summary>Ends when a call waits at the gate.</summary>
    public Task Arrived => arrived.Task.WaitAsync(TimeSpan.FromSeconds(60));

    /// <summary>Lets everything pass from now on.</summary>
    public void Dispose()
    {
        opened.TrySetResult();
        watch.Dispose();
    }
}

namespace Marketplace.Functions.Hosting.Worker;

/// <summary>
/// The handlers of messages and timers that run now. When the worker is told to stop, the host has waited for them already and will wait no longer than a few
/// seconds: they are cancelled at once. What was cancelled failed, so its message comes again.
/// </summary>
internal sealed class RunningHandlers(ILogger<RunningHandlers> logger) : IHostedLifecycleService, IDisposable
{
    private readonly CancellationTokenSource abort = new();
    private readonly HashSet<Task> running = [];

    /// <summary>Runs a handler until it ends; the host's own cancellation reaches it at once.</summary>
    public async Task RunAsync(Func<CancellationToken, Task> handler, CancellationToken cancellationToken)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, abort.Token);
        var task = handler(linked.Token);
        lock (running)
            running.Add(task);
        try
        {
            await task;
        }
        finally
        {
            lock (running)
                running.Remove(task);
        }
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        Task[] left;
        lock (running)
            left = [.. running];
        if (left.Length > 0)
            logger.LogWarning("{Count} handlers are cancelled because the worker stops", left.Length);
        await abort.CancelAsync();
        await Task.WhenAll(left).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => abort.Dispose();

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

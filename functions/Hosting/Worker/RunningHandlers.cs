using Marketplace.Storage;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hosting.Worker;

/// <summary>
/// The handlers of messages and timers that run now. A stop gives them <see cref="StorageOptions.StopTimeout"/> to finish and cancels them then; what
/// was cancelled failed, so its message comes again.
/// </summary>
internal sealed class RunningHandlers(IOptions<StorageOptions> options) : IHostedLifecycleService, IDisposable
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
        abort.CancelAfter(options.Value.StopTimeout);
        Task[] left;
        lock (running)
            left = [.. running];
        await Task.WhenAll(left).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => abort.Dispose();

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

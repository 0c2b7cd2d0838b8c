using Marketplace.Storage;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hosting;

/// <summary>Makes containers, tables and queues, and the first admin key, before anything is served.</summary>
internal sealed class Preparation(MarketplaceStorage storage, IOptions<MarketplaceOptions> options) : IHostedLifecycleService
{
    private const string AdminOwner = "admin";

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await storage.CreateAllAsync(cancellationToken);
        if (options.Value.AdminKey is { Length: > 0 } token)
            await storage.Keys.EnsureAsync(token, AdminOwner, KeyScope.Admin, cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

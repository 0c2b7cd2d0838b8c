using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hosting;

/// <summary>Makes containers, tables and queues, the first admin key and the first admin's account, before anything is served.</summary>
internal sealed class Preparation(MarketplaceStorage storage, IOptions<MarketplaceOptions> options, IOptions<EntraOptions> entra, TimeProvider time) : IHostedLifecycleService
{
    private const string AdminOwner = "admin";

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await storage.CreateAllAsync(cancellationToken);
        if (options.Value.AdminKey is { Length: > 0 } token)
            await storage.Keys.EnsureAsync(token, AdminOwner, KeyScope.Admin, cancellationToken);
        if (options.Value.AdminIdentity is { Length: > 0 } id && entra.Value.TenantId is { Length: > 0 } tenant)
            await EnsureAsync(new(tenant, id.ToLowerInvariant()), cancellationToken);
    }

    // Where somebody has bound it to another account, it stays that one.
    private async Task EnsureAsync(Identity identity, CancellationToken cancellationToken)
    {
        if (await storage.Identities.FindAsync(identity, cancellationToken) is not null)
            return;
        await storage.Identities.BindAsync(identity, AdminOwner, AuditLog.Service, cancellationToken);
        await storage.Audit.WriteAsync(new AuditEvent(time.GetUtcNow(), AuditLog.Service, "bind-identity", AdminOwner, identity.ObjectId), ct: cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

using System.Diagnostics;
using Marketplace.Cli.Azurite;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class AzuriteProcessTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_acknowledged_is_there_after_a_stop_and_a_start()
    {
        using var folder = new TemporaryFolder();
        await using (var first = await AzuriteProcess.StartAsync(folder.Path, ct: Ct))
        {
            var storage = new MarketplaceStorage(new StorageOptions { ConnectionString = first.ConnectionString });
            await storage.CreateAllAsync(Ct);
            await storage.Publishers.EnsureAsync("Alice", Ct);
            await storage.Reports.PutAsync("u1", "{}", Ct);
            await storage.Queues.SendAsync(QueueNames.KernelJobs, "job", Ct);
        }

        await using var second = await AzuriteProcess.StartAsync(folder.Path, ct: Ct);
        var again = new MarketplaceStorage(new StorageOptions { ConnectionString = second.ConnectionString });
        Assert.Equal("Alice", await again.Publishers.FindAsync("alice", Ct));
        Assert.Equal("{}", await again.Reports.ReadAsync("u1", Ct));
        Assert.Equal("job", (await again.Queues.Client(QueueNames.KernelJobs).ReceiveMessageAsync(cancellationToken: Ct)).Value.MessageText);
    }

    [Fact]
    public async Task An_interrupt_from_the_terminal_does_not_stop_it_and_its_parent_does()
    {
        using var folder = new TemporaryFolder();
        await using var azurite = await AzuriteProcess.StartAsync(folder.Path, ct: Ct);
        var storage = new MarketplaceStorage(new StorageOptions { ConnectionString = azurite.ConnectionString });

        Signals.Send(azurite.Id, Signals.Interrupt);
        await storage.CreateAllAsync(Ct);
        await storage.PingAsync(Ct);
        Assert.False(azurite.Exited.IsCompleted);

        await azurite.StopAsync();
        Assert.True(azurite.Exited.IsCompleted);
    }

    [Fact]
    public void A_missing_program_is_named_with_what_to_install()
    {
        var refusal = Assert.Throws<AzuriteException>(() => AzuriteInstall.Start(new ProcessStartInfo("no-such-program")));

        Assert.Contains("no-such-program", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("Node.js", refusal.Message, StringComparison.Ordinal);
    }
}

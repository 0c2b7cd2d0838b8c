using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>A signed address stays writable after the upload was completed: overwriting must never separate bytes from digest.</summary>
public sealed class StagingRaceTests(StagingRaceTests.Fixture fixture) : IClassFixture<StagingRaceTests.Fixture>
{
    private const string Weights = "adapter_model.safetensors";

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings { FunctionsThroughProxy = true });

    [Fact]
    public Task Bytes_overwritten_between_hash_and_commit_are_not_published() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        var (files, others) = (StackAdapters.Files(seed: 1), StackAdapters.Files(seed: 2));
        var ticket = await owner.StageAsync("ann/after-hash", files);
        using (var gate = new StackGate(stack.Proxy, c => c.Method == "PUT" && c.Path.StartsWith($"/{stack.Namespace}-content/", StringComparison.Ordinal)))
        {
            await owner.PostAsync<UploadStatus>($"/uploads/{ticket.UploadId}/complete", null, 202);
            await gate.Arrived;
            await OverwriteAsync(ticket, others);
        }

        var decided = await owner.DecidedAsync(ticket.UploadId);
        Assert.Equal("published", decided.State);
        await CheckAsync(owner, decided.Version!, files);
    });

    [Fact]
    public Task Bytes_overwritten_while_they_are_read_are_not_mixed() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        var (files, others) = (StackAdapters.Files(seed: 3), StackAdapters.Files(seed: 4));
        var ticket = await owner.StageAsync("ann/while-read", files);
        using (var gate = new StackGate(stack.Proxy, c => c.Method == "GET" && c.Path.StartsWith($"/{stack.Namespace}-staging/{ticket.UploadId}/", StringComparison.Ordinal)))
        {
            await owner.PostAsync<UploadStatus>($"/uploads/{ticket.UploadId}/complete", null, 202);
            await gate.Arrived;
            await OverwriteAsync(ticket, others);
        }

        var decided = await owner.DecidedAsync(ticket.UploadId);
        if (decided.State == "published")
        {
            await CheckAsync(owner, decided.Version!, others);
        }
        else
        {
            Assert.Equal("rejected", decided.State);
            Assert.NotEmpty(decided.Issues!);
            (await owner.SendAsync(HttpMethod.Get, "/adapters/ann/while-read")).Problem(404, "not-found");
        }
    });

    [Fact]
    public Task Bytes_overwritten_after_publication_change_nothing() => stack.RunAsync(async () =>
    {
        var owner = await stack.AccountAsync("ann");
        var files = StackAdapters.Files(seed: 5);
        var ticket = await owner.StageAsync("ann/too-late", files);
        await owner.PostAsync<UploadStatus>($"/uploads/{ticket.UploadId}/complete", null, 202);
        var decided = await owner.DecidedAsync(ticket.UploadId);
        await OverwriteAsync(ticket, StackAdapters.Files(seed: 6));
        await owner.PostAsync<UploadStatus>($"/uploads/{ticket.UploadId}/complete", null, 202);
        await CheckAsync(owner, decided.Version!, files);
        Assert.Equal(decided.Version, (await owner.GetAsync<AdapterView>("/adapters/ann/too-late")).Main);

        await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow, TestContext.Current.CancellationToken);
        Assert.Empty(await stack.Storage.Staging.ListAsync(TestContext.Current.CancellationToken).Where(f => f.UploadId == ticket.UploadId)
            .ToListAsync(TestContext.Current.CancellationToken));
    });

    private static async Task OverwriteAsync(UploadTicket ticket, Dictionary<string, byte[]> files)
    {
        foreach (var target in ticket.Files)
            await StackApi.PutAsync(target.Url, files[target.Path]);
    }

    private static async Task CheckAsync(StackApi owner, VersionReference version, Dictionary<string, byte[]> expected)
    {
        var view = await owner.GetAsync<VersionView>($"/adapters/{version.Adapter}/versions/{version.Id}");
        foreach (var file in view.Files)
            Assert.Equal(file.Sha256, Digest.Of(await owner.DownloadAsync(version, file.Path)).Hex);
        Assert.Equal(expected[Weights], await owner.DownloadAsync(version, Weights));
    }
}

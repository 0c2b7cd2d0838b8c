using System.Collections.Immutable;
using System.Security.Cryptography;
using Marketplace.Core;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>A test over stores of its own: a namespace in the shared account, a clock to turn, and a folder for files.</summary>
public abstract class StorageTest(AzuriteFixture azurite) : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory("marketplace-test-").FullName;

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected AzuriteFixture Azurite { get; } = azurite;

    protected ManualClock Clock { get; } = new();

    protected MarketplaceStorage Storage { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Storage = await Azurite.NewStorageAsync(Clock);

    public ValueTask DisposeAsync()
    {
        Directory.Delete(folder, recursive: true);
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    /// <summary>The same stores through other clients, as another process would have them.</summary>
    protected MarketplaceStorage SecondProcess() => new(Storage.Options, Clock);

    protected string PathOf(string name) => Path.Combine(folder, name);

    protected string Write(string name, byte[] content)
    {
        File.WriteAllBytes(PathOf(name), content);
        return PathOf(name);
    }

    protected static AdapterId Id(string name) => AdapterId.Parse(name);

    protected static byte[] Bytes(int count) => RandomNumberGenerator.GetBytes(count);

    /// <summary>A publish of two files, weights and configuration, with fresh random bytes.</summary>
    protected PublishRequest Request(
        string adapter, string key, string? expectedParent = null, bool isPrivate = false, string baseModel = "org/base", byte[]? weights = null)
    {
        var files = ImmutableArray.Create(
            FileOf("adapter_model.safetensors", weights ?? Bytes(1000)), FileOf("adapter_config.json", Bytes(100)));
        return new PublishRequest
        {
            Adapter = Id(adapter),
            Owner = Id(adapter).Owner,
            Private = isPrivate,
            IdempotencyKey = key,
            Files = files,
            ExpectedParent = expectedParent,
            BaseModelName = baseModel,
            Summary = new AdapterSummary(8, 2, "F32", 1100, [], null, ["lora"], null),
            Derived = [new DerivedFile("1", "sketch", Bytes(64))],
            WeightsDigest = files[0].File.Digest,
            ConfigDigest = files[1].File.Digest,
        };
    }

    protected PublishFile FileOf(string path, byte[] content)
    {
        var local = Write($"{Guid.NewGuid():N}", content);
        return new PublishFile(new ManifestFile(path, Digest.Of(content), content.Length, GitBlobHash.Of(content)), local);
    }

    protected async Task<VersionRecord> PublishAsync(PublishRequest request) =>
        Assert.IsType<PublishOutcome.Published>(await Storage.Commit.PublishAsync(request, Ct)).Version;

    /// <summary>Waits until something is so; fails after a minute.</summary>
    protected static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        deadline.CancelAfter(TimeSpan.FromMinutes(1));
        while (!await condition())
            await Task.Delay(50, deadline.Token);
    }

    protected static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));
}

/// <summary>The real time, plus as much as a test has turned it forward.</summary>
public sealed class ManualClock : TimeProvider
{
    private TimeSpan ahead;

    public void Advance(TimeSpan by) => ahead += by;

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + ahead;
}

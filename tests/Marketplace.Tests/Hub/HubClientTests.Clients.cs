using System.Security.Cryptography;
using System.Text;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <content>Callers, clients and what all tests hold answers against.</content>
public abstract partial class HubClientTests
{
    private protected Stack Stack => fixture.Stack;

    private static readonly string Card = "---\nlicense: mit\ntags:\n- sql\nlanguage: en\ndatasets:\n- acme/questions\n---\n# A small adapter\n";

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        private readonly Dictionary<string, HubClient> clients = [];

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Owner = await Stack.AccountAsync("acme");
            Reader = await Stack.AccountAsync("acme", "read");
            Stranger = await Stack.AccountAsync("strange");
        }

        /// <summary>A client, started when it is first asked for: that takes a second.</summary>
        internal async Task<HubClient> ClientAsync(string who, Func<Task<HubClient>> start)
        {
            if (!clients.TryGetValue(who, out var client))
                clients[who] = client = await start();
            return client;
        }

        public override async ValueTask DisposeAsync()
        {
            foreach (var client in clients.Values)
                await client.DisposeAsync();
            Home.Dispose();
            await base.DisposeAsync();
        }

        /// <summary>Where clients keep what they know between calls.</summary>
        internal TemporaryFolder Home { get; } = new();

        internal StackApi Owner { get; private set; } = null!;

        internal StackApi Reader { get; private set; } = null!;

        internal StackApi Stranger { get; private set; } = null!;
    }

    private protected string Home => fixture.Home.Path;

    private protected StackApi Owner => fixture.Owner;

    private protected StackApi Reader => fixture.Reader;

    private protected StackApi Stranger => fixture.Stranger;

    /// <summary>The client with somebody's token; a second one for who needs two at once.</summary>
    private protected Task<HubClient> ClientAsync(StackApi caller, int number = 1) => fixture.ClientAsync($"{caller.Key} {number}", () => StartAsync(caller));

    /// <summary>Starts the client.</summary>
    private protected abstract Task<HubClient> StartAsync(StackApi caller);

    /// <summary>A name that no other test takes.</summary>
    private protected static string Name(string part) => $"acme/{part}-{RandomNumberGenerator.GetHexString(6, lowercase: true)}";

    private protected static Dictionary<string, string> Base64(IReadOnlyDictionary<string, byte[]> files) => files.ToDictionary(f => f.Key, f => Convert.ToBase64String(f.Value));

    /// <summary>An adapter with a card, an empty file, a name with a blank and a letter beyond ASCII, and one in a folder.</summary>
    private protected static Dictionary<string, byte[]> Adapter(int seed, int rank = 2, int width = 8) => new(StackAdapters.Files(seed, rank: rank, width: width))
    {
        ["README.md"] = Encoding.UTF8.GetBytes(Card),
        ["empty.txt"] = [],
        ["notes/für alle.txt"] = Encoding.UTF8.GetBytes("Grüße"),
    };

    private protected static async Task AssertFilesAsync(HubClient client, string name, string? revision, IReadOnlyDictionary<string, byte[]> files)
    {
        var listed = (await client.CallAsync("list", new { name, revision }))["files"]!.AsArray().Select(f => f!.AsObject()).ToDictionary(f => (string)f["path"]!);
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), listed.Keys.Order(StringComparer.Ordinal));
        foreach (var (path, bytes) in files)
        {
            Assert.Equal(bytes.Length, (long)listed[path]["size"]!);
            if (listed[path]["sha256"] is { } sha256)
                Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), (string)sha256!);
            var content = (string?)(await client.CallAsync("download", new { name, path, revision }))["content"];
            Assert.True(content == Convert.ToBase64String(bytes), $"{path} of {name} differs.");
        }
    }

    private protected static async Task AssertSnapshotAsync(HubClient client, string name, string? revision, IReadOnlyDictionary<string, byte[]> files)
    {
        var folder = (string)(await client.CallAsync("snapshot", new { name, revision }))["folder"]!;
        var found = Directory.GetFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(f => Path.GetRelativePath(folder, f).Replace('\\', '/'), File.ReadAllBytes);
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), found.Keys.Order(StringComparer.Ordinal));
        Assert.All(files, f => Assert.Equal(f.Value, found[f.Key]));
    }

    private protected async Task<Dictionary<string, byte[]>> FilesAsync(VersionView version)
    {
        var files = new Dictionary<string, byte[]>();
        foreach (var file in version.Files)
            files[file.Path] = await Owner.DownloadAsync(new VersionReference(version.Adapter, version.Number, version.Id), file.Path);
        return files;
    }
}

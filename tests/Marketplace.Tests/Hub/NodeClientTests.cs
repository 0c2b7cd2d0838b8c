using System.Text;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>With @huggingface/hub from npm.</summary>
public sealed class NodeClientTests(HubClientTests.Fixture fixture) : HubClientTests(fixture), IClassFixture<HubClientTests.Fixture>
{
    private protected override Task<HubClient> StartAsync(StackApi caller) => HubClient.NodeAsync(Stack.Address, caller.Key);

    private protected override async Task AssertMissingAsync(HubClient client, string name)
    {
        Assert.Equal(404, (await client.FailAsync("info", new { name = "acme/nobody-has-this" })).Status);
        var revision = await client.FailAsync("info", new { name, revision = "no-such-tag" });
        Assert.Equal(404, revision.Status);
        Assert.Contains("no-such-tag", revision.Message, StringComparison.Ordinal);
        // A file that is absent is no error to this client.
        Assert.Null((await client.CallAsync("download", new { name, path = "absent.json" }))["content"]);
        Assert.Null((await client.CallAsync("fileInfo", new { name, path = "absent.json" }))["size"]);
    }

    [Fact]
    public Task A_part_of_a_file_is_downloaded_alone() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var (name, files) = (Name("slice"), Adapter(30, rank: 64, width: 1024));
        await client.CallAsync("createRepo", new { name });
        await client.CallAsync("commit", new { name, files = Base64(files) });
        foreach (var path in new[] { "adapter_model.safetensors", "adapter_config.json" })
        {
            var part = await client.CallAsync("slice", new { name, path, from = 10, to = 50 });
            Assert.Equal(Convert.ToBase64String(files[path][10..50]), (string)part["content"]!);
            var info = await client.CallAsync("fileInfo", new { name, path });
            Assert.Equal(files[path].Length, (long)info["size"]!);
        }

        Assert.Equal(0, (long)(await client.CallAsync("fileInfo", new { name, path = "empty.txt" }))["size"]!);
        Assert.Equal("Grüße", Encoding.UTF8.GetString(Convert.FromBase64String((string)(await client.CallAsync("download", new { name, path = "notes/für alle.txt" }))["content"]!)));
    });
}

using System.Text;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Files by <c>resolve</c>: sent by the service or by storage, whole, in parts, or not at all where the client has them.</summary>
public sealed class HubDownloadTests(HubDownloadTests.Fixture fixture) : IClassFixture<HubDownloadTests.Fixture>
{
    private const string Id = "ann/files";
    private const string Note = "notes/ö b.txt";

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings { Environment = new Dictionary<string, string> { ["Marketplace__HubStreamedBytes"] = "5000" } })
    {
        internal VersionReference Version { get; private set; } = null!;

        internal Dictionary<string, byte[]> Files { get; private set; } = [];

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Files = StackAdapters.Files(3);
            Files["empty.txt"] = [];
            Files[Note] = "0123456789"u8.ToArray();
            Files["large.dat"] = [.. Enumerable.Range(0, 5001).Select(i => (byte)i)];
            Version = await (await Stack.AccountAsync("ann")).PublishedAsync(Id, Files);
        }
    }

    [Theory]
    [InlineData("resolve")]
    [InlineData("raw")]
    public Task A_small_file_is_sent_and_HEAD_says_the_same_of_it(string verb) => stack.RunAsync(async () =>
    {
        foreach (var path in new[] { "adapter_config.json", "notes/%C3%B6%20b.txt", "notes%2F%C3%B6%20b.txt" })
        {
            var bytes = fixture.Files[Uri.UnescapeDataString(path)];
            var got = await AskAsync(HttpMethod.Get, $"/{Id}/{verb}/main/{path}");
            Assert.Equal((200, Encoding.UTF8.GetString(bytes)), (got.Status, got.Body));
            var head = await AskAsync(HttpMethod.Head, $"/{Id}/{verb}/main/{path}");
            Assert.Equal((200, ""), (head.Status, head.Body));
            foreach (var answer in new[] { got, head })
            {
                Assert.Equal(
                    (fixture.Version.Id, $"\"{Digest.Of(bytes).Hex}\"", $"{bytes.Length}", "bytes", "application/octet-stream"),
                    (answer.Headers["X-Repo-Commit"], answer.Headers["ETag"], answer.Headers["Content-Length"], answer.Headers["Accept-Ranges"], answer.Headers["Content-Type"]));
                Assert.DoesNotContain(answer.Headers.Keys, h => h.StartsWith("X-Xet", StringComparison.OrdinalIgnoreCase) || h is "Location" or "Link");
            }
        }
    });

    [Theory]
    [InlineData("bytes=0-0", "0", "bytes 0-0/10")]
    [InlineData("bytes=2-4", "234", "bytes 2-4/10")]
    [InlineData("bytes=7-", "789", "bytes 7-9/10")]
    [InlineData("bytes=-3", "789", "bytes 7-9/10")]
    [InlineData("bytes=-99", "0123456789", "bytes 0-9/10")]
    [InlineData("bytes=8-99", "89", "bytes 8-9/10")]
    [InlineData("BYTES=9-9", "9", "bytes 9-9/10")]
    public Task A_part_is_sent_where_one_is_asked_for(string range, string body, string contentRange) => stack.RunAsync(async () =>
    {
        var answer = await AskAsync(HttpMethod.Get, $"/{Id}/resolve/main/{Note}", ("Range", range));
        Assert.Equal((206, body, contentRange, $"{body.Length}"), (answer.Status, answer.Body, answer.Headers["Content-Range"], answer.Headers["Content-Length"]));
        Assert.Equal($"\"{Digest.Of(fixture.Files[Note]).Hex}\"", answer.Headers["ETag"]);
    });

    [Theory]
    [InlineData("bytes=4-2")]
    [InlineData("bytes=0-1,3-4")]
    [InlineData("bytes=a-b")]
    [InlineData("bytes=-")]
    [InlineData("lines=0-1")]
    [InlineData("bytes=99999999999999999999-")]
    public Task What_is_no_range_is_ignored(string range) => stack.RunAsync(async () =>
    {
        var answer = await AskAsync(HttpMethod.Get, $"/{Id}/resolve/main/{Note}", ("Range", range));
        Assert.Equal((200, "0123456789"), (answer.Status, answer.Body));
    });

    [Theory]
    [InlineData("bytes=10-")]
    [InlineData("bytes=10-12")]
    [InlineData("bytes=-0")]
    public Task A_range_beyond_the_end_is_refused_with_the_size(string range) => stack.RunAsync(async () =>
    {
        var answer = await AskAsync(HttpMethod.Get, $"/{Id}/resolve/main/{Note}", ("Range", range));
        HubReadTests.AssertProblem(answer, 416, null);
        Assert.Equal("bytes */10", answer.Headers["Content-Range"]);
    });

    [Fact]
    public Task An_empty_file_has_a_size_and_no_first_byte() => stack.RunAsync(async () =>
    {
        var whole = await AskAsync(HttpMethod.Get, $"/{Id}/resolve/main/empty.txt");
        Assert.Equal((200, "0"), (whole.Status, whole.Headers["Content-Length"]));
        var probe = await AskAsync(HttpMethod.Get, $"/{Id}/resolve/main/empty.txt", ("Range", "bytes=0-0"));
        Assert.Equal((206, "bytes */0", "0", ""), (probe.Status, probe.Headers["Content-Range"], probe.Headers["Content-Length"], probe.Body));
        Assert.Equal("0", (await AskAsync(HttpMethod.Head, $"/{Id}/resolve/main/empty.txt")).Headers["Content-Length"]);
    });

    [Fact]
    public Task A_large_file_is_where_the_redirect_says() => stack.RunAsync(async () =>
    {
        var bytes = fixture.Files["large.dat"];
        using var storage = new HttpClient();
        foreach (var method in new[] { HttpMethod.Head, HttpMethod.Get })
        {
            var answer = await AskAsync(method, $"/{Id}/resolve/{fixture.Version.Id}/large.dat", ("Range", "bytes=0-0"));
            Assert.Equal(
                (302, fixture.Version.Id, $"\"{Digest.Of(bytes).Hex}\"", "5001"),
                (answer.Status, answer.Headers["X-Repo-Commit"], answer.Headers["X-Linked-Etag"], answer.Headers["X-Linked-Size"]));
            Assert.True(new Uri(answer.Headers["Location"]).IsAbsoluteUri);
            Assert.Equal(bytes, await storage.GetByteArrayAsync(answer.Headers["Location"], TestContext.Current.CancellationToken));
        }
    });

    [Theory]
    [InlineData("adapter_config.json")]
    [InlineData("large.dat")]
    public Task Who_has_the_file_is_told_so(string path) => stack.RunAsync(async () =>
    {
        var tag = $"\"{Digest.Of(fixture.Files[path]).Hex}\"";
        foreach (var known in new[] { tag, $"W/{tag}", $"\"other\", {tag}", "*" })
        {
            var answer = await AskAsync(HttpMethod.Get, $"/{Id}/resolve/main/{path}", ("If-None-Match", known));
            Assert.Equal((304, "", tag, fixture.Version.Id), (answer.Status, answer.Body, answer.Headers["ETag"], answer.Headers["X-Repo-Commit"]));
        }

        Assert.NotEqual(304, (await AskAsync(HttpMethod.Get, $"/{Id}/resolve/main/{path}", ("If-None-Match", "\"other\""))).Status);
    });

    [Fact]
    public Task A_part_of_another_state_is_sent_whole() => stack.RunAsync(async () =>
    {
        var tag = $"\"{Digest.Of(fixture.Files[Note]).Hex}\"";
        Assert.Equal(206, (await AskAsync(HttpMethod.Get, $"/{Id}/resolve/main/{Note}", ("Range", "bytes=5-"), ("If-Range", tag))).Status);
        Assert.Equal("0123456789", (await AskAsync(HttpMethod.Get, $"/{Id}/resolve/main/{Note}", ("Range", "bytes=5-"), ("If-Range", "\"other\""))).Body);
    });

    [Fact]
    public Task What_is_not_there_is_told_apart_from_a_revision_and_a_repository_that_are_not() => stack.RunAsync(async () =>
    {
        foreach (var method in new[] { HttpMethod.Get, HttpMethod.Head })
        {
            foreach (var path in new[] { "adapter_model.bin", "notes", "..%2F..%2Fadapter_config.json", "" })
            {
                var absent = await AskAsync(method, $"/{Id}/resolve/main/{path}");
                Assert.Equal((404, "EntryNotFound", fixture.Version.Id), (absent.Status, absent.Headers.GetValueOrDefault("X-Error-Code"), absent.Headers.GetValueOrDefault("X-Repo-Commit")));
            }

            foreach (var revision in new[] { "nowhere", new string('0', 40), "v9", "main-rank0" })
                Assert.Equal("RevisionNotFound", (await AskAsync(method, $"/{Id}/resolve/{revision}/adapter_config.json")).Headers["X-Error-Code"]);
            Assert.Equal("RepoNotFound", (await AskAsync(method, "/ann/none/resolve/main/adapter_config.json")).Headers["X-Error-Code"]);
        }
    });

    [Fact]
    public Task An_adapter_may_be_called_as_a_part_of_the_route() => stack.RunAsync(async () =>
    {
        var eve = await stack.AccountAsync("eve");
        foreach (var name in new[] { "resolve", "tree", "revision" })
        {
            await eve.PublishedAsync($"eve/{name}", StackAdapters.Files(4));
            Assert.Equal(200, (await AskAsync(HttpMethod.Get, $"/eve/{name}/resolve/main/adapter_config.json")).Status);
            foreach (var route in new[] { "", "/revision/main", "/tree/main", "/refs" })
                Assert.Equal(200, (await AskAsync(HttpMethod.Get, $"/api/models/eve/{name}{route}")).Status);
        }
    });

    private Task<StackAnswer> AskAsync(HttpMethod method, string path, params (string, string)[] headers) => stack.Anonymous.AtAsync(method, path, null, headers);
}

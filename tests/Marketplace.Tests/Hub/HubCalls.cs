using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Marketplace.Core;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>A commit's lines as the clients write them: npm leaves out the last line feed.</summary>
internal sealed class HubLines
{
    private readonly List<string> lines = [];

    public HubLines(string summary = "Commit", string? parent = null) => Line("header", parent is null
        ? new JsonObject { ["summary"] = summary, ["description"] = "" }
        : new JsonObject { ["summary"] = summary, ["description"] = "", ["parentCommit"] = parent });

    /// <summary>Inline; the content comes before the path.</summary>
    public HubLines File(string path, byte[] bytes) =>
        Line("file", new JsonObject { ["content"] = Convert.ToBase64String(bytes), ["path"] = path, ["encoding"] = "base64" });

    public HubLines Files(IReadOnlyDictionary<string, byte[]> files) => files.Aggregate(this, (lines, file) => lines.File(file.Key, file.Value));

    /// <summary>An object that was sent, or a copy, which has no size.</summary>
    public HubLines Lfs(string path, string oid, long? size = null)
    {
        var value = new JsonObject { ["path"] = path, ["algo"] = "sha256", ["oid"] = oid };
        if (size is not null)
            value["size"] = size;
        return Line("lfsFile", value);
    }

    public HubLines Delete(string path) => Line("deletedFile", new JsonObject { ["path"] = path });

    public HubLines DeleteFolder(string path) => Line("deletedFolder", new JsonObject { ["path"] = path });

    public HubLines Line(string key, JsonNode value)
    {
        lines.Add(new JsonObject { ["key"] = key, ["value"] = value }.ToJsonString());
        return this;
    }

    public HttpContent Content()
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(string.Join('\n', lines)));
        content.Headers.TryAddWithoutValidation("Content-Type", "application/x-ndjson");
        return content;
    }
}

/// <summary>The Hub's protocol as its clients speak it.</summary>
internal static class HubCalls
{
    private static readonly HttpClient Plain = new();

    public static string Oid(byte[] bytes) => Digest.Of(bytes).Hex;

    public static JsonNode Json(this StackAnswer answer) => JsonNode.Parse(answer.Body)!;

    /// <summary>Checks a refusal in the Hub's form and returns its text.</summary>
    public static string Refusal(this StackAnswer answer, int status, string? code = null)
    {
        Assert.True(answer.Status == status, $"{status} was expected, not {answer.Status}: {answer.Body}");
        Assert.Equal(code, answer.Headers.GetValueOrDefault("X-Error-Code"));
        var text = (string)answer.Json()["error"]!;
        Assert.False(string.IsNullOrWhiteSpace(text));
        Assert.Equal(string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c))[..Math.Min(20, text.Length)], answer.Headers["X-Error-Message"][..Math.Min(20, text.Length)]);
        return text;
    }

    public static Task<StackAnswer> CreateAsync(this StackApi api, string repository, bool isPrivate = false) =>
        api.AtAsync(HttpMethod.Post, "/api/repos/create", new { name = repository.Split('/')[1], organization = repository.Split('/')[0], type = "model", visibility = isPrivate ? "private" : "public" });

    public static async Task CreatedAsync(this StackApi api, string repository, bool isPrivate = false)
    {
        var answer = await api.CreateAsync(repository, isPrivate);
        Assert.True(answer.Status == 200, answer.Body);
    }

    public static Task<StackAnswer> CommitAsync(this StackApi api, string repository, HubLines lines, string revision = "main") =>
        api.AtAsync(HttpMethod.Post, $"/api/models/{repository}/commit/{revision}", lines.Content());

    /// <summary>Commits what is to be taken; returns the commit's id.</summary>
    public static async Task<string> CommittedAsync(this StackApi api, string repository, HubLines lines)
    {
        var answer = await api.CommitAsync(repository, lines);
        Assert.True(answer.Status == 200, $"{answer.Status}: {answer.Body}");
        var json = answer.Json();
        Assert.True((bool)json["success"]!);
        Assert.EndsWith($"/{repository}/commit/{json["commitOid"]}", (string)json["commitUrl"]!, StringComparison.OrdinalIgnoreCase);
        return (string)json["commitOid"]!;
    }

    public static Task<StackAnswer> BatchAsync(this StackApi api, string repository, params IEnumerable<(string Oid, long Size)> objects)
    {
        var content = new StringContent(JsonSerializer.Serialize(new
        {
            operation = "upload",
            transfers = new[] { "basic", "multipart" },
            hash_algo = "sha256",
            @ref = new { name = "main" },
            objects = objects.Select(o => new { oid = o.Oid, size = o.Size }),
        }));
        content.Headers.ContentType = new("application/vnd.git-lfs+json");
        return api.AtAsync(HttpMethod.Post, $"/{repository}.git/info/lfs/objects/batch", content, ("Accept", "application/vnd.git-lfs+json"));
    }

    /// <summary>Where an object is to be sent; null if it need not be.</summary>
    public static async Task<string?> OfferedAsync(this StackApi api, string repository, string oid, long size)
    {
        var answer = await api.BatchAsync(repository, (oid, size));
        Assert.True(answer.Status == 200, answer.Body);
        var item = Assert.Single(answer.Json()["objects"]!.AsArray())!.AsObject();
        Assert.Equal((oid, size), ((string)item["oid"]!, (long)item["size"]!));
        Assert.False(item.ContainsKey("error"), item.ToJsonString());
        return item.ContainsKey("actions") ? (string)item["actions"]!["upload"]!["href"]! : null;
    }

    /// <summary>A PUT as clients send it: no header of ours, no authorisation, no type.</summary>
    public static async Task PutPlainAsync(string href, byte[] bytes)
    {
        using var response = await Plain.PutAsync(href, new ByteArrayContent(bytes));
        Assert.Equal(System.Net.HttpStatusCode.Created, response.StatusCode);
    }

    /// <summary>Sends an object unless it is there.</summary>
    public static async Task SendObjectAsync(this StackApi api, string repository, byte[] bytes)
    {
        if (await api.OfferedAsync(repository, Oid(bytes), bytes.Length) is { } href)
            await PutPlainAsync(href, bytes);
    }

    public static Task<StackAnswer> InfoAsync(this StackApi api, string repository, string? revision = null) =>
        api.AtAsync(HttpMethod.Get, $"/api/models/{repository}{(revision is null ? "" : $"/revision/{revision}")}");

    public static async Task<string> ShaAsync(this StackApi api, string repository, string? revision = null)
    {
        var answer = await api.InfoAsync(repository, revision);
        Assert.True(answer.Status == 200, $"{answer.Status}: {answer.Body}");
        return (string)answer.Json()["sha"]!;
    }

    public static async Task<string[]> PathsAsync(this StackApi api, string repository, string? revision = null) =>
        [.. (await api.InfoAsync(repository, revision)).Json()["siblings"]!.AsArray().Select(s => (string)s!["rfilename"]!)];

    public static byte[] Random(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public static string EmptyCommit { get; } = VersionManifest.Create([], null).Id;
}

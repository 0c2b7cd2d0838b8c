using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Marketplace.Core.Api;
using Xunit;

namespace Marketplace.Tests.Support;

/// <summary>What the API answered.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Headers">Names and values; the date is left out.</param>
/// <param name="Body">The body as text.</param>
internal sealed record StackAnswer(int Status, IReadOnlyDictionary<string, string> Headers, string Body)
{
    public string? ContentType => Headers.GetValueOrDefault("Content-Type")?.Split(';')[0];

    /// <summary>The body as the record that the API promises; a member beyond it fails.</summary>
    public T Read<T>() => JsonSerializer.Deserialize<T>(Body, ApiJson.Options)!;

    /// <summary>The problem, after a check that it is one in the form promised.</summary>
    public ProblemView Problem(int status, string code)
    {
        Assert.True(Status == status, $"{status} {code} was expected, not {Status}: {Body}");
        Assert.Equal("application/problem+json", ContentType);
        var problem = Read<ProblemView>();
        Assert.Equal(code, problem.Code);
        Assert.Equal(status, problem.Status);
        Assert.False(string.IsNullOrWhiteSpace(problem.Detail));
        return problem;
    }
}

/// <summary>The API as one caller uses it, over HTTP.</summary>
internal sealed class StackApi : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(40);
    private static readonly HttpClient Storage = new();

    private readonly HttpClient http;

    public StackApi(Uri address, string? key)
    {
        Key = key;
        http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = address, Timeout = Patience };
        if (key is not null)
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>The caller's key; null if anonymous.</summary>
    public string? Key { get; }

    /// <summary>Sends a request below <c>/api/v1</c>; a body that is content goes as it is, others as JSON.</summary>
    public Task<StackAnswer> SendAsync(HttpMethod method, string route, object? body = null, params (string Name, string Value)[] headers) =>
        AtAsync(method, "/api/v1" + route, body, headers);

    /// <summary>Sends a request to a path from the root, as the Hub's clients do.</summary>
    public async Task<StackAnswer> AtAsync(HttpMethod method, string path, object? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Content = body switch
        {
            null => null,
            HttpContent content => content,
            _ => JsonContent.Create(body, body.GetType(), options: ApiJson.Options),
        };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await http.SendAsync(request);
        var seen = response.Headers.Concat(response.Content.Headers).Where(h => h.Key != "Date")
            .ToDictionary(h => h.Key, h => string.Join(',', h.Value), StringComparer.OrdinalIgnoreCase);
        return new StackAnswer((int)response.StatusCode, seen, await response.Content.ReadAsStringAsync());
    }

    /// <summary>An open answer, for event streams.</summary>
    public Task<HttpResponseMessage> OpenAsync(HttpRequestMessage request) => http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

    public Task<T> GetAsync<T>(string route) => ReadAsync<T>(HttpMethod.Get, route, null, 200);

    public Task<T> PostAsync<T>(string route, object? body, int status) => ReadAsync<T>(HttpMethod.Post, route, body, status);

    /// <summary>Publishes files as users do; returns the upload's final state.</summary>
    public async Task<UploadStatus> PublishAsync(string adapter, IReadOnlyDictionary<string, byte[]> files, bool isPrivate = false)
    {
        var ticket = await StageAsync(adapter, files, isPrivate);
        await PostAsync<UploadStatus>($"/uploads/{ticket.UploadId}/complete", null, 202);
        return await DecidedAsync(ticket.UploadId);
    }

    /// <summary>Publishes files that are to be accepted.</summary>
    public async Task<VersionReference> PublishedAsync(string adapter, IReadOnlyDictionary<string, byte[]> files, bool isPrivate = false)
    {
        var status = await PublishAsync(adapter, files, isPrivate);
        Assert.True(status.State == "published", $"{adapter} is {status.State}: {string.Join(' ', status.Issues?.Select(i => i.Message) ?? [status.Detail ?? ""])}");
        return status.Version!;
    }

    /// <summary>Begins an upload and puts the bytes where it says.</summary>
    public async Task<UploadTicket> StageAsync(string adapter, IReadOnlyDictionary<string, byte[]> files, bool isPrivate = false)
    {
        var begin = new BeginUploadRequest(adapter, [.. files.Select(f => new UploadFileRequest(f.Key, f.Value.Length))], isPrivate);
        var ticket = await PostAsync<UploadTicket>("/uploads", begin, 201);
        foreach (var target in ticket.Files)
            await PutAsync(target.Url, files[target.Path]);
        return ticket;
    }

    /// <summary>Put Blob at a signed address.</summary>
    public static async Task PutAsync(string url, byte[] bytes)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, url) { Content = new ByteArrayContent(bytes) };
        request.Headers.Add("x-ms-blob-type", "BlockBlob");
        using var response = await Storage.SendAsync(request);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Follows the redirect of a file and returns its bytes.</summary>
    public async Task<byte[]> DownloadAsync(VersionReference version, string path)
    {
        var answer = await SendAsync(HttpMethod.Get, $"/adapters/{version.Adapter}/versions/{version.Id}/files/{path}");
        Assert.Equal(302, answer.Status);
        return await Storage.GetByteArrayAsync(answer.Headers["Location"]);
    }

    /// <summary>The upload once it is neither open nor queued.</summary>
    public Task<UploadStatus> DecidedAsync(string uploadId) =>
        EventuallyAsync<UploadStatus>($"/uploads/{uploadId}", u => u.State is not ("open" or "queued"));

    /// <summary>The job once it has ended.</summary>
    public Task<JobView> EndedAsync(string jobId) =>
        EventuallyAsync<JobView>($"/jobs/{jobId}", j => j.Status is "succeeded" or "failed" or "cancelled");

    /// <summary>The answer of a route once it is as awaited.</summary>
    public async Task<T> EventuallyAsync<T>(string route, Func<T, bool> awaited)
    {
        var deadline = DateTime.UtcNow + Patience;
        while (true)
        {
            var now = await GetAsync<T>(route);
            if (awaited(now))
                return now;
            Assert.True(DateTime.UtcNow < deadline, $"{route} stays {JsonSerializer.Serialize(now, ApiJson.Options)}");
            await Task.Delay(Pause);
        }
    }

    public void Dispose() => http.Dispose();

    private async Task<T> ReadAsync<T>(HttpMethod method, string route, object? body, int status)
    {
        var answer = await SendAsync(method, route, body);
        Assert.True(answer.Status == status, $"{method} {route} answers {answer.Status}: {answer.Body}");
        return answer.Read<T>();
    }
}

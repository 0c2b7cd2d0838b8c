using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Client;

/// <summary>Sends requests to one service and turns its problem details into <see cref="ApiException"/>.</summary>
internal sealed class ApiConnection : IDisposable
{
    // A newer service may add members to its answers; only what we send is strict.
    private static readonly JsonSerializerOptions Reading = new(ApiJson.Options) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip };

    private readonly HttpClient http;

    public ApiConnection(Uri address, string? key)
    {
        Address = address;
        // Redirects lead to signed addresses, which must not be given the API key.
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(10) };
        http = new HttpClient(handler) { BaseAddress = new Uri(address, "/api/v1/"), Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("marketplace-cli", typeof(ApiConnection).Assembly.GetName().Version?.ToString()));
        if (key is not null)
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>Where the service is.</summary>
    public Uri Address { get; }

    public Task<T> Get<T>(string route, CancellationToken ct) => Send<T>(HttpMethod.Get, route, null, ct);

    public Task<T> Post<T>(string route, object? body, CancellationToken ct) => Send<T>(HttpMethod.Post, route, body, ct);

    public Task<T> Patch<T>(string route, object body, CancellationToken ct) => Send<T>(HttpMethod.Patch, route, body, ct);

    public Task<T> Put<T>(string route, object? body, CancellationToken ct) => Send<T>(HttpMethod.Put, route, body, ct);

    public Task<T> Delete<T>(string route, CancellationToken ct) => Send<T>(HttpMethod.Delete, route, null, ct);

    /// <summary>A request whose answer has no body that matters.</summary>
    public async Task Send(HttpMethod method, string route, CancellationToken ct)
    {
        using var response = await SendRaw(new HttpRequestMessage(method, route), HttpCompletionOption.ResponseContentRead, ct);
    }

    /// <summary>Sends a request; answers below 400 are returned, others thrown.</summary>
    /// <exception cref="ApiException">The service refused.</exception>
    /// <exception cref="HttpRequestException">The service cannot be reached.</exception>
    public async Task<HttpResponseMessage> SendRaw(HttpRequestMessage request, HttpCompletionOption completion, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(TimeSpan.FromSeconds(100));
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(request, completion, timeout.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new HttpRequestException($"{Address} did not answer within 100 seconds.");
        }
        finally
        {
            request.Dispose();
        }

        if ((int)response.StatusCode < 400)
            return response;
        using (response)
            throw new ApiException(response.StatusCode, await ReadProblem(response, ct));
    }

    public void Dispose() => http.Dispose();

    /// <summary>Reads one JSON value as the service writes them.</summary>
    public static T? Parse<T>(string json) => JsonSerializer.Deserialize<T>(json, Reading);

    private async Task<T> Send<T>(HttpMethod method, string route, object? body, CancellationToken ct)
    {
        var request = new HttpRequestMessage(method, route);
        if (body is not null)
            request.Content = body as HttpContent ?? JsonContent.Create(body, body.GetType(), options: ApiJson.Options);
        using var response = await SendRaw(request, HttpCompletionOption.ResponseContentRead, ct);
        try
        {
            return await response.Content.ReadFromJsonAsync<T>(Reading, ct) ?? throw new JsonException("The answer is null.");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new CliException("unexpected-answer", ExitCode.Failed, $"{Address} answered in a way this program does not know: {e.Message}",
                "Is there a marketplace at that address, and of this version?");
        }
    }

    private static async Task<ProblemView> ReadProblem(HttpResponseMessage response, CancellationToken ct)
    {
        var text = await response.Content.ReadAsStringAsync(ct);
        try
        {
            if (response.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.Ordinal) == true && Parse<ProblemView>(text) is { } problem)
                return problem;
        }
        catch (JsonException)
        {
            // Not one of ours, such as a proxy's error page: the status has to do.
        }

        return new ProblemView(null, null, (int)response.StatusCode, $"{(int)response.StatusCode} {response.ReasonPhrase}", CodeOf(response.StatusCode));
    }

    private static string CodeOf(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized => "unauthenticated",
        HttpStatusCode.Forbidden => "forbidden",
        HttpStatusCode.NotFound => "not-found",
        HttpStatusCode.ServiceUnavailable => "storage-unavailable",
        _ => "unexpected-answer",
    };
}

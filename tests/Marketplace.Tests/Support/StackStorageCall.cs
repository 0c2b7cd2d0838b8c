using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Marketplace.Tests.Support;

/// <summary>A call of a host to storage, on its way through the <see cref="StackStorageProxy"/>.</summary>
internal sealed class StackStorageCall : IDisposable
{
    // Length and framing are those of the new connection.
    private static readonly string[] PerConnection = ["Host", "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Expect"];

    private readonly HttpContext context;
    private readonly HttpClient client;
    private readonly Uri target;
    private readonly byte[] body;
    private HttpResponseMessage? answer;
    private byte[] answerBody = [];

    private StackStorageCall(HttpContext context, HttpClient client, Uri target, byte[] body) =>
        (this.context, this.client, this.target, this.body) = (context, client, target, body);

    public string Method => context.Request.Method;

    /// <summary>Path without the account, such as <c>/nscontent/sha256/…</c>.</summary>
    public string Path => context.Request.Path.Value![context.Request.Path.Value!.IndexOf('/', 1)..];

    /// <summary>The operation within the path, such as <c>blocklist</c>.</summary>
    public string? Operation => context.Request.Query["comp"];

    /// <summary>The filter of a query over rows.</summary>
    public string? Filter => context.Request.Query["$filter"];

    /// <summary>The body as text: rows and messages are JSON and XML.</summary>
    public string Text => Encoding.UTF8.GetString(body);

    public bool Aborted { get; private set; }

    public static async Task<StackStorageCall> ReadAsync(HttpContext context, HttpClient client, Uri upstream)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        // Signatures cover the path as it was sent.
        var target = new Uri(
            upstream.GetLeftPart(UriPartial.Authority) + context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget,
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        return new StackStorageCall(context, client, target, body.ToArray());
    }

    /// <summary>Sends the call to storage and keeps the answer back.</summary>
    public async Task ForwardAsync()
    {
        if (answer is not null)
            return;
        using var request = new HttpRequestMessage(new HttpMethod(Method), target);
        if (body.Length > 0 || Method is "PUT" or "POST")
            request.Content = new ByteArrayContent(body);
        foreach (var (name, values) in context.Request.Headers.Where(h => !PerConnection.Contains(h.Key, StringComparer.OrdinalIgnoreCase)))
        {
            if (!request.Headers.TryAddWithoutValidation(name, values.AsEnumerable()))
                request.Content?.Headers.TryAddWithoutValidation(name, values.AsEnumerable());
        }

        answer = await client.SendAsync(request, HttpCompletionOption.ResponseContentRead);
        answerBody = await answer.Content.ReadAsByteArrayAsync();
    }

    /// <summary>Cuts the connection: the host never hears whether the call was carried out.</summary>
    public void Abort()
    {
        Aborted = true;
        context.Abort();
    }

    /// <summary>Answers in storage's place, without a body.</summary>
    public void Refuse(int status) => answer = new HttpResponseMessage((System.Net.HttpStatusCode)status) { Content = new ByteArrayContent([]) };

    /// <summary>Gives storage's answer back.</summary>
    public async Task AnswerAsync()
    {
        await ForwardAsync();
        var response = context.Response;
        response.StatusCode = (int)answer!.StatusCode;
        foreach (var (name, values) in answer.Headers.Concat<KeyValuePair<string, IEnumerable<string>>>(answer.Content.Headers))
        {
            if (!PerConnection.Contains(name, StringComparer.OrdinalIgnoreCase))
                response.Headers[name] = values.ToArray();
        }

        if (Method == "HEAD")
            response.ContentLength = answer.Content.Headers.ContentLength;
        else if (answerBody.Length > 0)
            await response.Body.WriteAsync(answerBody);
    }

    public void Dispose() => answer?.Dispose();
}

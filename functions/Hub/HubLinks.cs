using System.Text;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.Features;

namespace Marketplace.Functions.Hub;

/// <summary>Addresses of this service as the client knows it: clients refuse those with another host, and follow absolute ones only.</summary>
internal static class HubLinks
{
    /// <summary>Query parameter that says where a page begins.</summary>
    public const string Cursor = "cursor";

    /// <summary>Scheme and host, without a slash at the end; as the proxy in front was asked, where one says so.</summary>
    public static string Root(HttpRequest request) =>
        $"{(First(request, "X-Forwarded-Proto") is "http" or "https" ? First(request, "X-Forwarded-Proto") : request.Scheme)}://{(First(request, "X-Forwarded-Host") is { Length: > 0 } host && IsHost(host) ? host : request.Host.ToUriComponent())}";

    /// <summary>Says where the next page is: the address asked for, with another cursor.</summary>
    public static void SetNext(HttpContext context, string cursor)
    {
        var request = context.Request;
        // As it was sent: a revision or a path may have %2F in it, which is not the same as a slash.
        var sent = context.Features.Get<IHttpRequestFeature>()?.RawTarget.Split('?')[0];
        var path = sent is ['/', ..] ? sent : request.Path.ToUriComponent();
        var query = new QueryBuilder(request.Query.Where(q => q.Key != Cursor)) { { Cursor, cursor } };
        context.Response.Headers.Link = $"<{Root(request)}{path}{query}>; rel=\"next\"";
    }

    /// <summary>Something to go on from, in letters that need no escapes.</summary>
    public static string Encode(string text) => System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    /// <summary>What <see cref="Encode"/> was given; null for anything else.</summary>
    public static string? Decode(string text)
    {
        try
        {
            return new UTF8Encoding(false, true).GetString(System.Buffers.Text.Base64Url.DecodeFromChars(text));
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            return null;
        }
    }

    // Of several proxies the outermost wrote first.
    private static string? First(HttpRequest request, string header) => request.Headers[header].ToString().Split(',')[0].Trim();

    private static bool IsHost(string text) => text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or ':' or '[' or ']');
}

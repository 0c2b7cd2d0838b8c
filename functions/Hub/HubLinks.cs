using System.Text;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.Features;

namespace Marketplace.Functions.Hub;

/// <summary>Pages of lists, and how one leads to the next.</summary>
internal static class HubLinks
{
    /// <summary>Query parameter that says where a page begins.</summary>
    public const string Cursor = "cursor";

    /// <summary>Says where the next page is: the address asked for, with another cursor.</summary>
    public static void SetNext(HttpContext context, HubAddress address, string cursor)
    {
        var request = context.Request;
        // As it was sent: a revision or a path may have %2F in it, which is not the same as a slash.
        var sent = context.Features.Get<IHttpRequestFeature>()?.RawTarget.Split('?')[0];
        var path = sent is ['/', ..] ? sent : request.Path.ToUriComponent();
        var query = new QueryBuilder(request.Query.Where(q => q.Key != Cursor)) { { Cursor, cursor } };
        context.Response.Headers.Link = $"<{address.Of(request)}{path}{query}>; rel=\"next\"";
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
}

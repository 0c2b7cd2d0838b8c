using System.Globalization;
using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Storage.Telemetry;
using Microsoft.Net.Http.Headers;

namespace Marketplace.Functions.Hub;

/// <summary>
/// A file of a revision. Small ones are sent; of large ones the answer is a signed address of storage, with everything that clients must know before they follow it. HEAD answers alike.
/// </summary>
public static class ResolveFile
{
    private const int MaxWritten = 1 << 16;

    public static async Task<IResult> Handle(
        string owner, string name, string revision, string? path, Requester requester, HubReader reader, HubContents contents, HttpContext context, CancellationToken cancellationToken)
    {
        var (_, found, problem) = await reader.FindAsync(requester.Caller, owner, name, revision, cancellationToken);
        if (found is null)
            return problem!;
        var headers = context.Response.Headers;
        // Of what is missing, too: clients keep that it is.
        headers["X-Repo-Commit"] = found.Commit;
        path = HubQuery.Path(path);
        if (found.Find(path) is not { } file)
            return HubProblems.EntryNotFound(path);

        var tag = new EntityTagHeaderValue($"\"{file.Digest.Hex}\"");
        headers.ETag = tag.ToString();
        headers.AcceptRanges = "bytes";
        headers.XContentTypeOptions = "nosniff";
        if (context.Request.GetTypedHeaders().IfNoneMatch.Any(k => k.Compare(tag, useStrongComparison: false) || k.Equals(EntityTagHeaderValue.Any)))
            return TypedResults.StatusCode(StatusCodes.Status304NotModified);
        return contents.Sends(found, file)
            ? await SendAsync(context, file, await contents.ReadAsync(found, file, cancellationToken), tag, cancellationToken)
            : await RedirectAsync(context, found, file, contents, cancellationToken);
    }

    /// <summary>The same by a name of one part. Base models have such names, and clients come with them; no repository here does.</summary>
    public static Task<IResult> HandleUnowned(
        string name, string revision, string? path, Requester requester, HubReader reader, HubContents contents, HttpContext context, CancellationToken cancellationToken) =>
        // An adapter may be called "resolve": then these are its owner, its name, and revision and path.
        revision == "resolve" && HubQuery.Path(path).Split('/', 2) is [var inner, var rest]
            ? Handle(name, revision, inner, rest, requester, reader, contents, context, cancellationToken)
            : Task.FromResult<IResult>(HubProblems.RepoNotFound(name));

    private static async Task<IResult> RedirectAsync(HttpContext context, HubRevision revision, ManifestFile file, HubContents contents, CancellationToken cancellationToken)
    {
        var headers = context.Response.Headers;
        headers["X-Linked-Etag"] = headers.ETag;
        headers["X-Linked-Size"] = file.Size.ToString(CultureInfo.InvariantCulture);
        headers.CacheControl = "private, no-store";
        var address = await contents.AddressAsync(revision, file, cancellationToken);
        Count(context, file.Size);
        return TypedResults.Redirect(address.AbsoluteUri);
    }

    private static async Task<IResult> SendAsync(HttpContext context, ManifestFile file, ReadOnlyMemory<byte> bytes, EntityTagHeaderValue tag, CancellationToken cancellationToken)
    {
        var response = context.Response;
        response.Headers.CacheControl = "private, no-cache";
        var named = new ContentDispositionHeaderValue("attachment");
        named.SetHttpFileName(Path.GetFileName(file.Path));
        response.Headers.ContentDisposition = named.ToString();
        response.ContentType = "application/octet-stream";
        // A part of another state than the one the client has is no use to it.
        var stale = context.Request.Headers.IfRange is [{ } condition] && condition != tag.ToString();
        if (!stale && ByteRange.Parse(context.Request.Headers.Range, bytes.Length) is { } range)
        {
            // Of an empty file there is no range, but clients ask for its first byte to learn its size.
            if (range.Length == 0 && (range.From > 0 || bytes.Length > 0))
            {
                response.Headers.ContentRange = $"bytes */{bytes.Length}";
                response.Headers.Remove(HeaderNames.ContentDisposition);
                response.ContentType = null;
                return HubProblems.RangeNotSatisfiable($"'{file.Path}' has {bytes.Length} bytes.");
            }

            response.StatusCode = StatusCodes.Status206PartialContent;
            response.Headers.ContentRange = range.Length == 0 ? "bytes */0" : $"bytes {range.From}-{range.From + range.Length - 1}/{bytes.Length}";
            bytes = bytes.Slice((int)range.From, (int)range.Length);
        }

        Count(context, bytes.Length);
        response.ContentLength = bytes.Length;
        if (HttpMethods.IsHead(context.Request.Method))
            return TypedResults.Empty;
        for (var at = 0; at < bytes.Length; at += MaxWritten)
            await response.Body.WriteAsync(bytes.Slice(at, Math.Min(MaxWritten, bytes.Length - at)), cancellationToken);
        return TypedResults.Empty;
    }

    // A HEAD and the probe for one byte are no downloads, nor is what follows a broken connection.
    private static void Count(HttpContext context, long bytes)
    {
        if (HttpMethods.IsGet(context.Request.Method) && context.Request.Headers.Range.ToString() is "" or "bytes=0-")
            MarketplaceMeter.OnDownload(bytes);
    }
}

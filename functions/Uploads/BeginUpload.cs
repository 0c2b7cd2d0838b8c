using System.Collections.Immutable;
using System.Security.Cryptography;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Uploads;

/// <summary>Begins an upload: checks names and sizes, and hands out one signed address per file.</summary>
public static class BeginUpload
{
    private const int MaxMessage = 500;

    public static async Task<Results<Created<UploadTicket>, ProblemHttpResult>> Handle(
        BeginUploadRequest request, Requester requester, MarketplaceStorage storage,
        IOptions<MarketplaceOptions> options, IOptions<StorageOptions> storageOptions, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!AdapterId.TryParse(request.Adapter, out var adapter))
            return Problems.InvalidRequest("adapter", $"'{request.Adapter}' is not a name of the form owner/name.");
        if (!requester.Owns(adapter))
            return Problems.Forbidden($"The key belongs to '{requester.Owner}'; it can't publish for '{adapter.Owner}'.");
        var files = Check(request.Files, request.Message, options.Value, out var issues);
        if (issues.Count > 0)
            return Problems.InvalidRequest(issues);
        if (await Lookup.OutputAsync(storage, requester.Caller, adapter, cancellationToken) is { } gone)
            return gone;

        var now = time.GetUtcNow();
        if (await UploadRoom.LackingAsync(storage, adapter, files, now, cancellationToken) is { } excess)
            return Problems.QuotaExceeded(excess.ToString());
        return await OpenAsync(
            new UploadRecord(
                NewId(), adapter, requester.Owner, request.Private || await Lookup.BeginsPrivateAsync(storage, adapter, cancellationToken), UploadState.Open, files,
                request.ExpectedParent, request.Message, now, now + storageOptions.Value.UploadLifetime, null, null, null, default),
            storage, cancellationToken);
    }

    /// <summary>A new upload's id.</summary>
    internal static string NewId() => RandomNumberGenerator.GetHexString(32, lowercase: true);

    /// <summary>Records an upload and signs an address for each of its files.</summary>
    internal static async Task<Created<UploadTicket>> OpenAsync(UploadRecord upload, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        await storage.Uploads.AddAsync(upload, cancellationToken);

        var targets = new List<UploadTarget>(upload.Files.Length);
        for (var index = 0; index < upload.Files.Length; index++)
        {
            var address = await storage.Staging.SignedWriteUriAsync(upload.Id, index, upload.ExpiresAt, cancellationToken);
            targets.Add(new UploadTarget(upload.Files[index].Path, address.AbsoluteUri));
        }

        return TypedResults.Created(
            $"{FunctionTable.RoutePrefix}/uploads/{upload.Id}",
            new UploadTicket(upload.Id, upload.Adapter.ToString(), upload.ExpiresAt, targets));
    }

    /// <summary>Checks names, sizes and digests, and a message.</summary>
    internal static ImmutableArray<UploadFileSpec> Check(IReadOnlyList<UploadFileRequest> asked, string? message, MarketplaceOptions options, out List<IssueView> issues)
    {
        var found = new List<IssueView>();
        void Refuse(string path, string message) => found.Add(new IssueView("invalid-value", "error", path, message));

        if (asked.Count == 0 || asked.Count > options.MaxFiles)
            Refuse("files", $"An upload has 1 to {options.MaxFiles} files.");
        if (message?.Length > MaxMessage)
            Refuse("message", $"A message has at most {MaxMessage} characters.");

        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var files = ImmutableArray.CreateBuilder<UploadFileSpec>(Math.Min(asked.Count, options.MaxFiles));
        foreach (var (file, index) in asked.Take(options.MaxFiles).Select((f, i) => (f, i)))
        {
            Digest? declared = null;
            if (!RepositoryPath.IsValid(file.Path))
                Refuse($"files[{index}].path", $"'{file.Path}' is not a path that every client can fetch.");
            else if (!seen.Add(file.Path))
                Refuse($"files[{index}].path", $"'{file.Path}' occurs twice.");
            if (file.Size < 0 || file.Size > options.MaxFileBytes)
                Refuse($"files[{index}].size", $"A file has 0 to {options.MaxFileBytes} bytes.");
            if (file.Sha256 is { } text)
            {
                if (Digest.TryParse(text, out var digest))
                    declared = digest;
                else
                    Refuse($"files[{index}].sha256", "A SHA-256 is 64 lower-case hexadecimal digits.");
            }

            files.Add(new UploadFileSpec(file.Path, file.Size, declared));
        }

        issues = found;
        return files.ToImmutable();
    }
}

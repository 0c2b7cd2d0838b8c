namespace Marketplace.Core.Api;

/// <summary>POST /api/v1/uploads: the files a publisher is about to send.</summary>
/// <param name="Adapter"><c>owner/name</c>; the owner must be the caller's account.</param>
/// <param name="Files">Every file of the new version.</param>
/// <param name="Private">Whether only the owner may see the adapter; counts when the adapter is new.</param>
/// <param name="Message">A line about the version.</param>
/// <param name="ExpectedParent">Version id the publisher believes to be current; if it isn't, the upload is refused as a conflict.</param>
public sealed record BeginUploadRequest(
    string Adapter, IReadOnlyList<UploadFileRequest> Files, bool Private = false, string? Message = null, string? ExpectedParent = null);

/// <summary>One file of an upload.</summary>
/// <param name="Path">Path within the adapter, <c>/</c>-separated.</param>
/// <param name="Size">Length in bytes.</param>
/// <param name="Sha256">The file's digest if known; checked against the bytes that arrive.</param>
public sealed record UploadFileRequest(string Path, long Size, string? Sha256 = null);

/// <summary>Where to put the bytes.</summary>
/// <param name="UploadId">Names the upload from here on.</param>
/// <param name="Adapter"><c>owner/name</c>.</param>
/// <param name="ExpiresAt">When the addresses stop working.</param>
/// <param name="Files">One address per file, in the order asked.</param>
public sealed record UploadTicket(string UploadId, string Adapter, DateTimeOffset ExpiresAt, IReadOnlyList<UploadTarget> Files);

/// <summary>A signed address that takes Put Blob, Put Block and Put Block List for one file.</summary>
/// <param name="Path">Path within the adapter.</param>
/// <param name="Url">The signed address; secret, minutes long.</param>
public sealed record UploadTarget(string Path, string Url);

/// <summary>How far an upload got.</summary>
/// <param name="UploadId">The upload.</param>
/// <param name="Adapter"><c>owner/name</c>.</param>
/// <param name="State">open, queued, published, rejected, expired, cancelled or failed.</param>
/// <param name="CreatedAt">When it began.</param>
/// <param name="ExpiresAt">When its addresses stop working.</param>
/// <param name="Version">The version it became.</param>
/// <param name="Issues">Findings of validation, once there are any.</param>
/// <param name="Code">Why it failed, when it failed for another reason than its issues.</param>
/// <param name="Detail">The same in words.</param>
/// <param name="Kind">adapter or baseModel; of a base model, <c>adapter</c> is its id, and <c>version</c> its registration.</param>
public sealed record UploadStatus(
    string UploadId, string Adapter, string State, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt,
    VersionReference? Version = null, IReadOnlyList<IssueView>? Issues = null, string? Code = null, string? Detail = null, string Kind = "adapter");

/// <summary>A finding, as the validator words it.</summary>
/// <param name="Code">Stable code; docs/validation.md lists them.</param>
/// <param name="Severity">error, warning or info.</param>
/// <param name="Path">File, tensor or configuration member.</param>
/// <param name="Message">The finding in words.</param>
public sealed record IssueView(string Code, string Severity, string? Path, string Message);

using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>Why a commit is refused, as a client shows it: one line for each error, with its code and place.</summary>
internal static class CommitIssues
{
    private const int MaxShown = 20;

    /// <summary>What validation found.</summary>
    public static async Task<IReadOnlyList<IssueView>> ReadAsync(MarketplaceStorage storage, string uploadId, CancellationToken cancellationToken)
    {
        if (await storage.Reports.ReadAsync(uploadId, cancellationToken) is not { } report)
            return [];
        using var json = JsonDocument.Parse(report);
        return json.RootElement.GetProperty("issues").Deserialize<List<IssueView>>(ApiJson.Options)!;
    }

    /// <summary>The refusal in words.</summary>
    public static async Task<string> DescribeAsync(MarketplaceStorage storage, UploadRecord upload, CancellationToken cancellationToken)
    {
        if (upload.State != UploadState.Rejected)
            return upload.FailureMessage ?? "The commit was given up; commit again.";
        var errors = (await ReadAsync(storage, upload.Id, cancellationToken)).Where(i => i.Severity == "error").ToList();
        var what = upload.Kind == UploadKind.BaseModel ? "base model" : "adapter";
        var more = errors.Count > MaxShown ? $"\nand {errors.Count - MaxShown} more" : "";
        return $"The {what} is refused, and '{upload.Adapter}' is as it was:\n{string.Join('\n', errors.Take(MaxShown).Select(Line))}{more}";
    }

    /// <summary>An issue in a line.</summary>
    public static string Line(IssueView issue) => $"[{issue.Code}] {(issue.Path is null ? "" : $"{issue.Path}: ")}{issue.Message}";
}

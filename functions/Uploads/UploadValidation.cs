using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Validation;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Storage.Telemetry;

namespace Marketplace.Functions.Uploads;

/// <summary>
/// One validation: staged bytes are copied once into local files under their ETag, and everything afterwards (checks, hashes, what is published)
/// is done with those files, whatever happens to the staged blobs meanwhile.
/// </summary>
public sealed class UploadValidation(MarketplaceStorage storage, AdapterPublisher publisher, CopyDetection copies)
{
    /// <summary>Decides an upload; returns its row as it should be now.</summary>
    internal async Task<UploadRecord> RunAsync(UploadRecord upload, string folder, CancellationToken cancellationToken)
    {
        // A delivery before this one may have died after its version row: what is published stays published.
        if (await storage.Versions.FindByUploadAsync(upload.Adapter, upload.Id, cancellationToken) is { } published)
            return await publisher.CompleteAsync(published, cancellationToken) is { } completed ? Published(upload, completed) : Deleted(upload);
        if (await storage.Adapters.GetAsync(upload.Adapter, cancellationToken) is { Takedown: not null })
            return TakenDown(upload);

        var (files, broken) = await SpoolAsync(upload, folder, cancellationToken);
        var report = AdapterValidator.Validate(files);
        report = (await WithKnowledgeAsync(upload, report, cancellationToken)).With(broken);
        ImmutableArray<AnalysisFile>? analysis = null;
        if (report.Accepted)
        {
            (analysis, var found) = await copies.RunAsync(upload, report, folder, cancellationToken);
            report = report.With(found);
        }

        await storage.Reports.PutAsync(upload.Id, report.ToJson(), cancellationToken);
        if (!report.Accepted)
        {
            MarketplaceMeter.OnRejected(report.Issues.Where(i => i.Severity == IssueSeverity.Error).Select(i => i.Code));
            return upload with { State = UploadState.Rejected };
        }

        if (await UnchangedAsync(upload, report, cancellationToken) is { } head)
            return Published(upload, head);

        // What else is like it concerns the publisher only.
        ImmutableArray<string> warnings =
        [
            .. report.Issues.Where(i => i.Severity == IssueSeverity.Warning && !IssueCodes.ForThePublisher.Contains(i.Code)).Select(i => i.Code).Distinct(),
        ];
        var publication = new Publication(upload.Adapter, upload.Owner, upload.Private, upload.Id, upload.ExpectedParent, upload.Message, Analysis: analysis, BegunAt: upload.CreatedAt);
        return await publisher.PublishAsync(folder, report, warnings, publication, cancellationToken) switch
        {
            PublishOutcome.Published { Version: var version } => Published(upload, version),
            PublishOutcome.ParentConflict conflict => Failed(
                upload, "conflict", $"The version '{upload.ExpectedParent}' is not current; {conflict.Head?.Id ?? "there is none yet"}{(conflict.Head is null ? "" : " is")}."),
            PublishOutcome.QuotaExceeded full => Failed(upload, "quota-exceeded", full.Excess.ToString()),
            PublishOutcome.TakenDown => TakenDown(upload),
            PublishOutcome.Deleted => Deleted(upload),
            _ => Failed(upload, "forbidden", "The name belongs to another account."),
        };
    }

    private static UploadRecord Published(UploadRecord upload, VersionRecord version) =>
        upload with { State = UploadState.Published, Version = new VersionPointer(version.Number, version.Id) };

    private static UploadRecord TakenDown(UploadRecord upload) => Failed(upload, "taken-down", $"'{upload.Adapter}' was taken down; nothing is published to it.");

    private static UploadRecord Deleted(UploadRecord upload) => Failed(upload, "deleted", $"'{upload.Adapter}' was deleted after this upload had begun.");

    private static UploadRecord Failed(UploadRecord upload, string code, string message) =>
        upload with { State = UploadState.Failed, FailureCode = code, FailureMessage = message };

    private async Task<(List<AdapterFile> Files, List<ValidationIssue> Broken)> SpoolAsync(
        UploadRecord upload, string folder, CancellationToken cancellationToken)
    {
        var (files, issues) = (new List<AdapterFile>(), new List<ValidationIssue>());
        for (var index = 0; index < upload.Files.Length; index++)
        {
            var file = upload.Files[index];
            var local = Path.Combine(folder, file.Path);
            Directory.CreateDirectory(Path.GetDirectoryName(local)!);
            var spooled = await UploadFiles.SpoolAsync(storage, upload, index, local, cancellationToken);
            if (spooled.Outcome != SpoolOutcome.Ok)
                issues.Add(IssueCodes.Issue(IssueCodes.FileIncomplete, file.Path, Describe(spooled, file)));
            else if (file.Sha256 is { } declared && declared != spooled.Digest)
                issues.Add(IssueCodes.Issue(IssueCodes.DigestMismatch, file.Path, $"It was announced as {declared}, and {spooled.Digest} arrived."));
            else
                files.Add(AdapterFile.FromFile(file.Path, local));
        }

        return (files, issues);
    }

    /// <summary>Why a staged file could not be used.</summary>
    internal static string Describe(SpoolResult spooled, UploadFileSpec file) => spooled.Outcome switch
    {
        SpoolOutcome.Missing => "It was announced, and its bytes never arrived.",
        SpoolOutcome.SizeMismatch => $"It was announced with {file.Size} bytes, and {spooled.Size} arrived.",
        _ => "It was overwritten while it was read; nothing was published.",
    };

    /// <summary>The report with what only the service knows: the publisher's aliases, and what is published already.</summary>
    private async Task<ValidationReport> WithKnowledgeAsync(UploadRecord upload, ValidationReport report, CancellationToken cancellationToken)
    {
        if (report.Configuration?.BaseModel is { } spelling && await storage.BaseModels.ResolveAsync(spelling, upload.Owner, cancellationToken) is not null)
            report = report with { Issues = report.Issues.RemoveAll(i => i.Code == IssueCodes.BaseUnresolved) };

        var caller = new Caller(upload.Owner, KeyScope.Publish);
        if (report.Files.FirstOrDefault(f => f.Path == RepositoryPath.Weights) is not { Sha256: { } weights } || !report.Accepted)
            return report;
        await foreach (var use in storage.ContentIndex.ListAsync(Digest.Parse(weights), cancellationToken))
        {
            if (use.Adapter != upload.Adapter && await storage.Adapters.GetAsync(use.Adapter, cancellationToken) is { } other && caller.CanSee(other))
                return report.With(IssueCodes.AlreadyPublished(RepositoryPath.Weights, other.Id));
        }

        return report;
    }

    /// <summary>The current version, if it has exactly these files: publishing what is there already makes no new version.</summary>
    private async Task<VersionRecord?> UnchangedAsync(UploadRecord upload, ValidationReport report, CancellationToken cancellationToken) =>
        await storage.Versions.NewestAsync(upload.Adapter, cancellationToken) is { } head
        && await storage.Adapters.GetAsync(upload.Adapter, head.Number, cancellationToken) is not null
        && (upload.ExpectedParent is null || upload.ExpectedParent == head.Id)
        && head.Files.Select(f => (f.Path, f.Digest)).ToHashSet().SetEquals(report.ManifestFiles().Select(f => (f.Path, f.Digest)))
            ? head
            : null;
}

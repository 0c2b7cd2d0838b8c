using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Validation;
using Marketplace.Functions.Uploads;
using Marketplace.Storage;
using Marketplace.Storage.Telemetry;

namespace Marketplace.Functions.BaseModels;

/// <summary>
/// Decides an upload of a base model's files. Each staged file is copied once into a local one under its ETag, looked at, stored under its digest and let go of before the next comes, so that
/// a model of many shards takes the disk of one. The registration's row, written last, is the commit.
/// </summary>
public sealed class BaseModelValidation(MarketplaceStorage storage, TimeProvider time)
{
    /// <summary>What becomes of an upload's report.</summary>
    /// <param name="Issues">Every issue.</param>
    /// <param name="Architecture"><c>model_type</c>, if it is known.</param>
    /// <param name="Digest">Digest of configuration, weights and tokenizer, if all were there.</param>
    private sealed record Report(IReadOnlyList<IssueView> Issues, string? Architecture, string? Digest);

    /// <summary>Decides; returns the upload's row as it should be now.</summary>
    internal async Task<UploadRecord> RunAsync(UploadRecord upload, string folder, CancellationToken cancellationToken)
    {
        var baseModel = upload.Adapter.ToString();
        if ((await storage.Registrations.ListAsync(baseModel, cancellationToken)).FirstOrDefault(r => r.UploadId == upload.Id) is { } present)
            return await RegisteredAsync(upload, present, cancellationToken);

        var inspection = new BaseModelInspection();
        var (files, broken) = (new List<BaseModelFile>(), new List<IssueView>());
        for (var index = 0; index < upload.Files.Length; index++)
        {
            var file = upload.Files[index];
            var local = Path.Combine(folder, file.Path);
            var spooled = await UploadFiles.SpoolAsync(storage, upload, index, local, cancellationToken);
            if (spooled.Outcome != SpoolOutcome.Ok)
                Refuse(IssueCodes.FileIncomplete, UploadValidation.Describe(spooled, file));
            else if (file.Sha256 is { } declared && declared != spooled.Digest)
                Refuse(IssueCodes.DigestMismatch, $"It was announced as {declared}, and {spooled.Digest} arrived.");
            else
                await TakeAsync(new BaseModelFile(file.Path, spooled.Digest, spooled.Size), local);
            File.Delete(local);

            void Refuse(string code, string message)
            {
                broken.Add(new(code, "error", file.Path, message));
                inspection.Lost(file.Path);
            }
        }

        List<IssueView> issues = [.. broken, .. inspection.Finish().Select(p => View(p, "error"))];
        var manifest = BaseModelManifest.Of(files);
        var report = new Report([.. issues, .. inspection.Warnings.Select(p => View(p, "warning"))], inspection.Architecture, issues.Count == 0 ? manifest.Digest.Hex : null);
        await storage.Reports.PutAsync(upload.Id, JsonSerializer.Serialize(report, ApiJson.Options), cancellationToken);
        MarketplaceMeter.OnRejected(issues.Select(i => i.Code));
        return issues.Count > 0
            ? upload with { State = UploadState.Rejected }
            : await RegisteredAsync(upload, await AddAsync(upload, manifest, inspection.Architecture!, cancellationToken), cancellationToken);

        async Task TakeAsync(BaseModelFile file, string local)
        {
            inspection.Add(file.Path, local);
            files.Add(file);
            // Once something is wrong, nothing more is kept; what was kept before goes with the sweep.
            if (!inspection.HasProblems && broken.Count == 0)
                await storage.Content.PutAsync(file.Digest, local, cancellationToken);
        }
    }

    // Files that are those of the newest registration are that registration.
    private async Task<BaseModelRegistration> AddAsync(UploadRecord upload, BaseModelManifest manifest, string architecture, CancellationToken cancellationToken)
    {
        while (true)
        {
            var newest = await storage.Registrations.NewestAsync(upload.Adapter.ToString(), cancellationToken);
            if (newest is not null && newest.Files.SequenceEqual(manifest.Files))
                return newest;
            var registration = new BaseModelRegistration(
                newest?.BaseModel ?? upload.Adapter.ToString(), (newest?.Number ?? 0) + 1, manifest.Digest, architecture, manifest.Files, upload.Owner, time.GetUtcNow(), upload.Message, upload.Id);
            foreach (var digest in manifest.Files.Select(f => f.Digest).Distinct())
                await storage.ContentIndex.AddAsync(digest, registration.BaseModel, registration.Number, cancellationToken);
            if (await storage.Registrations.AddAsync(registration, cancellationToken) == AddResult.Added)
                return registration;
        }
    }

    // Repeatable: what follows from the row.
    private async Task<UploadRecord> RegisteredAsync(UploadRecord upload, BaseModelRegistration registration, CancellationToken cancellationToken)
    {
        await storage.BaseModels.EnsureAsync(registration.BaseModel, cancellationToken);
        var audit = new AuditEvent(registration.CreatedAt, registration.RegisteredBy, "register-base-model", $"{registration.BaseModel}@{registration.Number}", registration.Digest.Hex);
        await storage.Audit.WriteAsync(audit, $"register {registration.BaseModel} {registration.Number}", cancellationToken);
        return upload with { State = UploadState.Published, Version = new VersionPointer(registration.Number, registration.Digest.Hex) };
    }

    private static IssueView View(WeightsProblem problem, string severity) => new(problem.Code, severity, problem.Tensor ?? problem.File, problem.Message);
}

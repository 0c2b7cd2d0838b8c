using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.EvaluationSets;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Http;

/// <summary>What the API shows of stored records.</summary>
internal static class Views
{
    public static VersionReference Reference(AdapterId adapter, VersionPointer version) => new(adapter.ToString(), version.Number, version.Id);

    public static AdapterView View(this AdapterRecord adapter, IReadOnlyList<TaintView>? taintedBy = null, TakedownView? takedown = null)
    {
        var summary = adapter.Summary;
        return new AdapterView(
            adapter.Id.ToString(), adapter.Private, adapter.Listed, adapter.BaseModelName, adapter.BaseModel,
            adapter.Main is { } main ? Reference(adapter.Id, main) : null,
            summary?.Rank ?? 0, summary?.Modules ?? 0, summary?.Dtype ?? "", summary?.SizeBytes ?? 0,
            summary?.Warnings ?? [], summary?.License, summary?.Tags ?? [], summary?.DerivedBy, adapter.CreatedAt, adapter.UpdatedAt,
            taintedBy, takedown, Some(summary?.Card?.Languages), Some(summary?.Card?.Datasets), summary?.Card?.PipelineTag);
    }

    private static string[]? Some(ImmutableArray<string>? texts) => texts is { IsDefaultOrEmpty: false } some ? [.. some] : null;

    /// <summary>The version as <paramref name="caller"/> may see it: parents it can't see leave no trace.</summary>
    public static async Task<VersionView> ViewAsync(
        this VersionRecord version, MarketplaceStorage storage, Caller caller, CancellationToken cancellationToken, ILookup<int, Taint>? taints = null)
    {
        taints ??= await storage.Takedowns.TaintsAsync(version.Adapter, version.Number, cancellationToken);
        LineageView? lineage = null;
        if (version.Lineage is { } stored)
        {
            var seen = new List<LineageParentView>();
            foreach (var parent in stored.Parents)
            {
                if (await storage.Adapters.GetAsync(parent.Adapter, parent.Number, cancellationToken) is { } record && caller.MayKnow(record))
                {
                    seen.Add(new LineageParentView(
                        new VersionReference(parent.Adapter.ToString(), parent.Number, parent.VersionId), parent.Weight, parent.Role, record.Takedown is not null));
                }
            }

            var all = seen.Count == stored.Parents.Length && await SetLookup.SeesAllAsync(storage, caller, CompositionPart.SetsOf(stored), cancellationToken);
            lineage = new LineageView(stored.Method, seen, all ? stored.RecipeJson : null, stored.Kernel);
        }

        return new VersionView(
            version.Adapter.ToString(), version.Number, version.Id, version.Parent, version.CreatedAt, version.PublishedBy, version.Message,
            [.. version.Files.Select(f => new FileView(f.Path, f.Size, f.Digest.Hex, f.GitSha1))], lineage, version.Adapter.Shown(taints[version.Number], caller), version.Summary?.Serving);
    }

    public static UploadStatus View(this UploadRecord upload, IReadOnlyList<IssueView>? issues = null) => new(
        upload.Id, upload.Adapter.ToString(), Text.Of(upload.State), upload.CreatedAt, upload.ExpiresAt,
        upload.Version is { } version ? Reference(upload.Adapter, version) : null, issues, upload.FailureCode, upload.FailureMessage,
        Text.Of(upload.Kind));

    public static JobView View(this JobRecord job) => new(
        job.Id, Text.Of(job.Kind), Text.Of(job.Status), job.Attempt, job.Sequence,
        job.Progress is { } p ? new JobProgressView(p.Done, p.Total, p.Current, p.EtaSeconds) : null,
        job.CreatedAt, job.StartedAt, job.FinishedAt,
        JsonSerializer.Deserialize<JsonElement>(job.RequestJson),
        job.ResultJson is { } result ? JsonSerializer.Deserialize<JsonElement>(result) : null,
        job.ErrorCode, job.ErrorMessage);

    public static KeyView View(this ApiKeyRecord key, string? token = null) =>
        new(key.Id, key.Owner, key.Name, Text.Of(key.Scope), key.CreatedAt, key.ExpiresAt, key.Revoked, token, key.LastUsedOn);

    public static IdentityView View(this BoundIdentity bound) => new(bound.Identity.ObjectId, bound.Identity.TenantId, bound.Owner, bound.BoundBy, bound.BoundAt);

    public static BaseModelRegistrationView View(this BaseModelRegistration registration) => new(
        registration.Number, registration.Digest.Hex, registration.Architecture, registration.Files.Sum(f => f.Size), registration.CreatedAt);

    public static BaseModelAliasView View(this BaseModelAlias alias) => new(alias.Spelling, alias.BaseModel, alias.Owner);
}

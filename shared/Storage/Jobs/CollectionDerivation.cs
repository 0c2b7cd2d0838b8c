using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// Makes the versions of a collection, one after the other, and then the collection. Each version has a key of its own, so that a job that is delivered again
/// goes on where it was. What can't be made is listed with its reason and stops nothing.
/// </summary>
public sealed class CollectionDerivation(MarketplaceStorage storage, Derivation derivation, TimeProvider time)
{
    private const int ReasonsInFull = 50;
    private const int LongReason = 600;
    private const int ShortReason = 60;

    /// <summary>Runs the job and returns its result, a <see cref="CollectionResult"/> as JSON.</summary>
    /// <exception cref="JobFailureException">Nothing at all could be made.</exception>
    public async Task<string> RunAsync(JobRecord job, string? kernel, ModuleComputation compute, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        var request = CollectionJobRequest.Parse(job.RequestJson);
        var id = AdapterId.Parse(request.Collection);
        var general = ImmutableArray.CreateBuilder<ResolvedInput>();
        foreach (var input in request.General)
            general.Add(await InputAsync(input, "general", cancellationToken));
        var (made, refused) = (new List<(CollectionItem Item, VersionRecord Version)>(), request.Skipped.ToList());
        for (var i = 0; i < request.Items.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var item = request.Items[i];
            progress.Report(i, request.Items.Length, item.Label);
            try
            {
                made.Add((item, await MakeAsync(job, request, item, general.ToImmutable(), id.Owner, kernel, compute, progress.Part(i, request.Items.Length, item.Label), cancellationToken)));
            }
            catch (JobFailureException failure)
            {
                refused.Add(new(item.Label, failure.Code, failure.Message));
            }
            catch (NotFiniteNumberException failure)
            {
                refused.Add(new(item.Label, "not-mergeable", failure.Message));
            }
            catch (MergeMemoryException failure)
            {
                refused.Add(new(item.Label, "memory-budget", failure.Message));
            }
        }

        if (made.Count == 0)
            throw new JobFailureException("not-mergeable", $"None of the {request.Items.Length} could be made. {string.Join(' ', refused.Take(3).Select(r => $"{r.Label}: {Cut(r.Reason, LongReason)}"))}");

        var result = JsonSerializer.Serialize(await ResultAsync(request, made, refused, cancellationToken), ApiJson.Options);
        // From here on the job succeeds: nobody expects the collection of a job that says it was cancelled.
        cancellationToken.ThrowIfCancellationRequested();
        await storage.Collections.PutAsync(
            new CollectionRecord(
                id, request.Private, request.BaseModel, request.MadeBy, time.GetUtcNow(), job.Id, job.RequestJson,
                [.. made.Select(m => Member(request, m.Item, m.Version)).OrderBy(m => m.Label, StringComparer.Ordinal)]),
            CancellationToken.None);
        return result;
    }

    // The label of a residual is its own name: that of its target may be nobody else's business.
    private static CollectionMember Member(CollectionJobRequest request, CollectionItem item, VersionRecord version) => new(
        request.MadeBy == CollectionJobRequest.Clusters ? item.Label : version.Adapter.Name, version.Adapter, new VersionPointer(version.Number, version.Id));

    private async Task<VersionRecord> MakeAsync(
        JobRecord job, CollectionJobRequest request, CollectionItem item, ImmutableArray<ResolvedInput> general, string owner, string? kernel,
        ModuleComputation compute, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        if (!AdapterId.TryCreate(owner, item.Output, out var output))
            throw new JobFailureException("internal-error", $"'{item.Output}' can't be an adapter's name.");
        var key = Key(job.Id, item.Label);
        if (await storage.Versions.FindByUploadAsync(output, key, cancellationToken) is { } present)
            return await storage.Commit.CompleteAsync(present, cancellationToken) ?? throw Deleted(output);

        var derived = await ResolveAsync(request, item, general, output, cancellationToken);
        // The same was made before by another job: asking for a library again costs only what is new in it.
        if (await storage.Versions.NewestAsync(output, cancellationToken) is { Lineage: { } lineage } newest && lineage.Kernel == kernel && lineage.RecipeJson == derived.ToJson())
            return await storage.Commit.CompleteAsync(newest, cancellationToken) ?? throw Deleted(output);
        var result = await derivation.DeriveAsync(derived, job, key, kernel, compute, progress, cancellationToken);
        return await storage.Versions.GetAsync(output, result.Version.Number, cancellationToken) ?? throw Deleted(output);
    }

    private static JobFailureException Deleted(AdapterId output) => new("deleted", $"'{output}' was deleted while the job ran.");

    /// <summary>What one item asks of a derivation.</summary>
    private async Task<DerivationRequest> ResolveAsync(
        CollectionJobRequest request, CollectionItem item, ImmutableArray<ResolvedInput> general, AdapterId output, CancellationToken cancellationToken)
    {
        var residual = request.MadeBy == CollectionJobRequest.Residuals;
        var inputs = ImmutableArray.CreateBuilder<ResolvedInput>();
        foreach (var input in item.Inputs)
            inputs.Add(await InputAsync(input, residual ? "target" : "input", cancellationToken));
        inputs.AddRange(general);
        var recipe = request.Recipe;
        if (item.Method is { } other)
            recipe = RecipeForm.Canonical(recipe with { Method = other, Parameters = null, Inputs = [] }, n => n);
        var weighted = MergeMethods.Find(recipe.Method) is { Weighted: true };
        return new(
            recipe with
            {
                Inputs = [.. inputs.Select(i => new RecipeInput(i.Name, Weight: weighted ? RecipeValue.Of(i.Weight) : null))],
                Output = new OutputRequest(output.ToString(), request.Private),
            },
            inputs.ToImmutable(), request.BaseModel);
    }

    private async Task<ResolvedInput> InputAsync(CollectionInput input, string role, CancellationToken cancellationToken)
    {
        var at = input.Version.LastIndexOf('@');
        var number = int.Parse(input.Version.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture);
        return await storage.Versions.GetAsync(AdapterId.Parse(input.Version[..at]), number, cancellationToken) is { } version
            ? ResolvedInput.Of(version, input.Weight ?? 1, role)
            : throw new JobFailureException("input-gone", $"'{input.Version}' is no longer stored.");
    }

    private async Task<CollectionResult> ResultAsync(
        CollectionJobRequest request, List<(CollectionItem Item, VersionRecord Version)> made, List<RefusedMember> refused, CancellationToken cancellationToken)
    {
        var general = new List<GeneralKnowledge>();
        var members = new List<CollectionResultMember>();
        foreach (var (item, version) in made)
        {
            var reference = new VersionReference(version.Adapter.ToString(), version.Number, version.Id);
            var report = request.MadeBy == CollectionJobRequest.Residuals ? await storage.Reports.ReadMergeAsync(version.UploadId, cancellationToken) : null;
            if (report is not null && MergeReports.Parse(report).General is { } own)
            {
                general.Add(own);
                members.Add(new(item.Label, reference, Math.Round(own.Share, 6), Math.Round(own.EnergyRemoved, 6)));
            }
            else
            {
                members.Add(new(item.Label, reference));
            }
        }

        // Many may be refused for one long reason, and the row has its bounds.
        return new(
            request.Collection, members, [.. refused.Select((r, i) => r with { Reason = Cut(r.Reason, i < ReasonsInFull ? LongReason : ShortReason) })],
            general.Count > 0 ? GeneralKnowledge.Total(general) : null);
    }

    /// <summary>One key for each version of a job: asking for it again finds what was published.</summary>
    internal static string Key(string jobId, string label) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{jobId}\n{label}")));

    private static string Cut(string text, int length) => text.Length <= length ? text : text[..length] + "…";
}

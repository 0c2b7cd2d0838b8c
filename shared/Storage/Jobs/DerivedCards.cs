using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;

namespace Marketplace.Storage.Jobs;

/// <summary>
/// Gathers what the model card of a derived version says. Published bytes outlive every change of who may see what, so whatever is private now is left out, also where the result is private.
/// </summary>
internal static class DerivedCards
{
    /// <summary>The card of a result.</summary>
    /// <param name="storage">Where the parents are.</param>
    /// <param name="request">What was asked.</param>
    /// <param name="lineage">The parents.</param>
    /// <param name="report">What became of it.</param>
    /// <param name="export">What was written.</param>
    /// <param name="cancellationToken">Stops.</param>
    public static async Task<DerivedCard> ComposeAsync(
        MarketplaceStorage storage, DerivationRequest request, Lineage lineage, MergeReportView report, ServingExport export, CancellationToken cancellationToken)
    {
        var parents = new List<CardParent>();
        foreach (var parent in lineage.Parents)
        {
            if (await storage.Adapters.GetAsync(parent.Adapter, parent.Number, cancellationToken) is not { } adapter || !Caller.Anonymous.CanSee(adapter))
                continue;
            var summary = (await storage.Versions.GetAsync(parent.Adapter, parent.Number, cancellationToken))?.Summary;
            parents.Add(new(
                new VersionReference(parent.Adapter.ToString(), parent.Number, parent.VersionId), parent.Weight, parent.Role, summary?.License,
                summary?.Card?.Languages ?? [], summary?.Card?.Datasets ?? [], summary?.Card?.PipelineTag));
        }

        var known = parents.Select(p => p.Version).ToHashSet();
        return new DerivedCard
        {
            BaseModel = request.BaseModel,
            Method = request.Method,
            Learned = request.Composition is not null,
            Parents = [.. parents],
            Hidden = parents.Count < lineage.Parents.Length,
            Recipe = request.Recipe,
            Report = MergeReports.Redact(report, known.Contains),
            Rank = export.Report.Rank,
            Modules = export.Report.Modules,
        };
    }
}

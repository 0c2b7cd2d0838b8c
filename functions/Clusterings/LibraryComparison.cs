using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;

namespace Marketplace.Functions.Clusterings;

/// <summary>A library laid out for clustering.</summary>
/// <param name="Sketches">The sketch of each member; null where there is none.</param>
/// <param name="Selection">Who takes part.</param>
/// <param name="Rows">Their sketches (n, d).</param>
/// <param name="FromSketches">Laid out from the sketches: what places newcomers.</param>
/// <param name="Library">What is clustered: the same in sketch mode, from the weights in exact mode.</param>
internal sealed record ComparedLibrary(IReadOnlyList<AdapterSketch?> Sketches, MbcSelection Selection, Matrix Rows, MbcEmbedding FromSketches, MbcEmbedding Library);

/// <summary>Compares the members of a library, from their sketches or from their weights.</summary>
public sealed class LibraryComparison(LibrarySketches sketches, LibraryReader reader, ContentCache cache)
{
    internal async Task<ComparedLibrary> CompareAsync(
        ClusteringJobRequest request, AdapterSimilarity similarity, IReadOnlyList<ResolvedInput> members, JobProgressReporter progress, CancellationToken cancellationToken)
    {
        progress.Report(0, members.Count, "sketches", 0);
        var loaded = (await sketches.LoadAsync([.. members.Select(m => (Digest.Parse(m.Config), Digest.Parse(m.Weights)))], cancellationToken)).ToList();
        var selection = MbcSelection.Of(loaded, similarity);
        selection = selection.Without(await WithMagnitudesAsync(members, selection, cancellationToken));
        if (similarity == AdapterSimilarity.Delta)
        {
            var modules = await ModulesAsync(members, loaded, selection, cancellationToken);
            selection = selection.WithoutContradictions(i => loaded[i]!.Shape, shape => modules[shape]);
        }

        if (selection.Compared.IsEmpty)
        {
            throw new JobFailureException(
                "not-comparable", $"No member of the library can be compared: {selection.Zero.Length} change nothing. " + string.Join(' ', selection.Excluded.Select(e => e.Reason).Distinct()));
        }

        progress.Report(members.Count, members.Count, "similarities", 0.5);
        return await Task.Run(() => LayOutAsync(request, similarity, members, loaded, selection, progress, cancellationToken), cancellationToken);
    }

    private async Task<ComparedLibrary> LayOutAsync(
        ClusteringJobRequest request, AdapterSimilarity similarity, IReadOnlyList<ResolvedInput> members, List<AdapterSketch?> loaded, MbcSelection selection,
        JobProgressReporter progress, CancellationToken cancellationToken)
    {
        var rows = selection.Sketches(loaded, similarity);
        var components = request.Components ?? RequestClustering.DefaultComponents(similarity);
        var fromSketches = MbcEmbedding.OfSketches(rows, components);
        if (request.Mode == RequestClustering.SketchMode)
            return new(loaded, selection, rows, fromSketches, fromSketches);

        using var adapters = new OpenAdapters();
        foreach (var index in selection.Compared)
            adapters.Add(await reader.OpenAsync(members[index], cancellationToken));
        var modules = adapters[0].Modules.Length;
        var library = similarity == AdapterSimilarity.Delta
            ? MbcEmbedding.OfCosines(Gram.Of(adapters).Cosine)
            : MbcEmbedding.OfGram(
                FlatFactors.Gram(adapters, request.Sparsity, module =>
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    progress.Report(module, modules, "products", 0.5 + (0.3 * module / modules));
                }),
                components);
        return new(loaded, selection, rows, fromSketches, library);
    }

    // A magnitude vector changes ΔW by what only the base weights know. Few configurations are different files.
    private async Task<Dictionary<int, string>> WithMagnitudesAsync(IReadOnlyList<ResolvedInput> members, MbcSelection selection, CancellationToken cancellationToken)
    {
        var reasons = new Dictionary<int, string>();
        foreach (var group in selection.Compared.GroupBy(i => members[i].Config, StringComparer.Ordinal))
        {
            if (await cache.GetAsync(Digest.Parse(group.Key), cancellationToken) is not { } path
                || AdapterConfig.Parse(await File.ReadAllBytesAsync(path, cancellationToken)).Config is not { UseDora: true })
            {
                continue;
            }

            foreach (var index in group)
                reasons[index] = "It has DoRA magnitudes: its change depends on the base weights, which an adapter's files do not hold.";
        }

        return reasons;
    }

    // Adapters of one shape have the same modules: opening one of them is enough.
    private async Task<Dictionary<string, List<TargetModule>>> ModulesAsync(
        IReadOnlyList<ResolvedInput> members, List<AdapterSketch?> loaded, MbcSelection selection, CancellationToken cancellationToken)
    {
        var modules = new Dictionary<string, List<TargetModule>>(StringComparer.Ordinal);
        foreach (var group in selection.Compared.GroupBy(i => loaded[i]!.Shape, StringComparer.Ordinal))
        {
            using var adapter = await reader.OpenAsync(members[group.First()], cancellationToken);
            modules[group.Key] = [.. adapter.Modules];
        }

        return modules;
    }
}

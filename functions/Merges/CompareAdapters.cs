using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Merges;

/// <summary>Holds adapters of one base model against each other before anybody merges them; nothing is stored.</summary>
public static class CompareAdapters
{
    public static async Task<Results<Ok<CompatibilityView>, ProblemHttpResult>> Handle(
        CompatibilityRequest request, Requester requester, MarketplaceStorage storage, LibraryReader reader,
        IOptions<MarketplaceOptions> options, CancellationToken cancellationToken)
    {
        if (request.Inputs.Count is < CompatibilityReport.MinAdapters or > CompatibilityReport.MaxAdapters)
            return Problems.InvalidRequest("inputs", $"{CompatibilityReport.MinAdapters} to {CompatibilityReport.MaxAdapters} adapters are compared.");
        if (request.Rank is < 1 or > 4096)
            return Problems.InvalidRequest("rank", "A rank is a number from 1 to 4096.");

        var resolver = new InputResolver(storage, requester);
        var inputs = new List<ResolvedInput>();
        foreach (var (text, index) in request.Inputs.Select((text, index) => (text, index)))
        {
            if (await resolver.AddAsync($"inputs[{index}]", text, 1, "input", cancellationToken) is { } input)
                inputs.Add(input);
        }

        var (baseModel, problem) = resolver.Finish();
        if (problem is not null)
            return problem;
        if (inputs.GroupBy(i => i.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } repeated)
            return Problems.InvalidRequest("inputs", $"'{repeated.Key}' is named more than once.");

        var (bytes, licences) = await LookAsync(storage, inputs, cancellationToken);
        if (bytes > options.Value.MaxComparedBytes)
            return Problems.ComparisonTooLarge(bytes, options.Value.MaxComparedBytes);
        using var adapters = await reader.OpenAllAsync(inputs, cancellationToken);
        if (Work(adapters) > options.Value.MaxComparedWork)
            return Problems.ComparisonTooLarge("Too many ranks meet in their modules; compare fewer adapters at a time.");
        var report = CompatibilityReport.Of(adapters, [.. inputs.Select(i => i.Name)], request.Rank, cancellation: cancellationToken);
        return TypedResults.Ok(new CompatibilityView(
            baseModel!, [.. inputs.Select(i => new VersionReference(i.Adapter, i.Number, i.VersionId))], report,
            Licences.Combine([.. inputs.Zip(licences, (i, l) => (i.Name, l))])));
    }

    // Bytes of the weights, which are read whole, and what the model cards say.
    private static async Task<(long Bytes, List<string?> Licences)> LookAsync(MarketplaceStorage storage, List<ResolvedInput> inputs, CancellationToken cancellationToken)
    {
        var (bytes, licences) = (0L, new List<string?>());
        foreach (var input in inputs)
        {
            var version = await storage.Versions.GetAsync(AdapterId.Parse(input.Adapter), input.Number, cancellationToken);
            bytes += version!.Files.First(f => f.Path == RepositoryPath.Weights).Size;
            licences.Add(version.Summary?.License);
        }

        return (bytes, licences);
    }

    // QR of both stacks of factors, and the SVD of the core: (out + in)·R² + 20·R³ for a module with R ranks altogether.
    private static double Work(IEnumerable<Adapter> adapters) => adapters.SelectMany(a => a.Modules).GroupBy(m => m.Name, StringComparer.Ordinal).Sum(g =>
    {
        double ranks = g.Sum(m => (double)m.Rank);
        return (ranks * ranks * (g.Max(m => (double)m.Out) + g.Max(m => (double)m.In))) + (20 * ranks * ranks * ranks);
    });
}

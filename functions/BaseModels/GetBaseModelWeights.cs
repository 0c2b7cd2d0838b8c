using System.Globalization;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.BaseModels;

/// <summary>The files of a base model: the newest registration, or one by number or digest.</summary>
public static class GetBaseModelWeights
{
    public static async Task<Results<Ok<BaseModelWeightsView>, ProblemHttpResult>> Handle(
        string owner, string name, string? version, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var spelling = $"{owner}/{name}";
        var all = AdapterId.TryParse(spelling, out _) && await storage.BaseModels.ResolveAsync(spelling, requester.Caller.Owner ?? "", cancellationToken) is { } baseModel
            ? await storage.Registrations.ListAsync(baseModel, cancellationToken)
            : [];
        if (all is not [var newest, ..])
            return Problems.NotFound($"registration of files of '{spelling}'");
        var wanted = version is null ? newest : all.FirstOrDefault(r => r.Digest.Hex == version || r.Number.ToString(CultureInfo.InvariantCulture) == version);
        if (wanted is null)
            return Problems.NotFound($"registration '{version}' of '{spelling}'");

        var sizes = await Task.WhenAll(wanted.Files.Select(f => storage.Content.SizeAsync(f.Digest, cancellationToken)));
        return TypedResults.Ok(new BaseModelWeightsView(
            wanted.BaseModel, wanted.Number, wanted.Digest.Hex, wanted.Architecture, wanted.Files.Sum(f => f.Size),
            wanted.Files.Zip(sizes).All(f => f.First.Size == f.Second), wanted.Files.Any(f => f.Path == BaseModelManifest.Tokenizer),
            [.. wanted.Files.Select(f => new BaseModelFileView(f.Path, f.Size, f.Digest.Hex))], wanted.CreatedAt, wanted.Message, [.. all.Select(r => r.View())]));
    }
}

using System.Globalization;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Commands;

/// <summary>What an adapter adds to its library, in a line.</summary>
internal static class NoveltyOutput
{
    /// <summary>The novelty of an adapter; null where it is in no library.</summary>
    public static async Task<NoveltyView?> Find(MarketplaceClient client, AdapterId adapter, CancellationToken ct)
    {
        try
        {
            return await client.GetNovelty(new AdapterReference(adapter, null), ct);
        }
        catch (ApiException e) when (e.Problem.Code is "base-mismatch" or "not-found")
        {
            return null;
        }
    }

    /// <summary>The line.</summary>
    public static string Line(NoveltyView novelty) => novelty switch
    {
        { Verdict: "none" } => "this adapter changes nothing",
        { Nearest: null } => "new: there is nothing in the library to compare it with",
        { Verdict: "reuse", Nearest: { } nearest } => $"reuse: this adapter is {Cosine(nearest)} of {Tables.Name(nearest.Version)}",
        { Nearest: { } nearest } =>
            $"add: {novelty.Novelty.ToString("0 %", CultureInfo.InvariantCulture)} of it is new to the library; the nearest is {Tables.Name(nearest.Version)}, cosine {Cosine(nearest)}",
    };

    private static string Cosine(SimilarView nearest) => nearest.Cosine.ToString("0.00##", CultureInfo.InvariantCulture);
}

using System.Net.Http.Headers;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;

namespace Marketplace.Cli.Client;

/// <summary>The routes of evaluation sets and results.</summary>
internal static class EvaluationCalls
{
    public static Task<PublishEvaluationSetResponse> PublishSet(this MarketplaceClient client, AdapterId set, bool isPrivate, string? message, EvaluationSet parsed, CancellationToken ct)
    {
        var content = new ReadOnlyMemoryContent(parsed.Bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/jsonl") } };
        var route = $"evaluation-sets?set={Escape(set.ToString())}&private={(isPrivate ? "true" : "false")}{(message is null ? "" : $"&message={Escape(message)}")}";
        return client.Connection.Post<PublishEvaluationSetResponse>(route, content, ct);
    }

    public static async Task<ListResponse<EvaluationSetView>> ListSets(this MarketplaceClient client, string? owner, CancellationToken ct)
    {
        var sets = new List<EvaluationSetView>();
        for (string? continuation = "", next = null; continuation is not null; continuation = next)
        {
            var page = await client.Connection.Get<ListResponse<EvaluationSetView>>(
                $"evaluation-sets?limit=200{(owner is null ? "" : $"&owner={Escape(owner)}")}{(continuation.Length == 0 ? "" : $"&continuation={Escape(continuation)}")}", ct);
            sets.AddRange(page.Items);
            next = page.Continuation;
        }

        return new(sets);
    }

    public static Task<EvaluationSetView> GetSet(this MarketplaceClient client, AdapterId set, CancellationToken ct) => client.Connection.Get<EvaluationSetView>(Route(set), ct);

    public static Task<ListResponse<EvaluationSetVersionView>> ListSetVersions(this MarketplaceClient client, AdapterId set, CancellationToken ct) =>
        client.Connection.Get<ListResponse<EvaluationSetVersionView>>($"{Route(set)}/versions", ct);

    public static Task<EvaluationSetView> SetSetListed(this MarketplaceClient client, AdapterId set, bool listed, CancellationToken ct) =>
        client.Connection.Patch<EvaluationSetView>(Route(set), new UpdateEvaluationSetRequest(listed), ct);

    public static Task DeleteSet(this MarketplaceClient client, AdapterId set, CancellationToken ct) => client.Connection.Send(HttpMethod.Delete, Route(set), ct);

    /// <summary>The canonical lines of a version, verified by the digest in the answer's header.</summary>
    public static async Task<byte[]> DownloadSet(this MarketplaceClient client, AdapterId set, string revision, CancellationToken ct)
    {
        var (bytes, etag) = await Follow(client, $"{Route(set)}/versions/{Escape(revision)}/items", ct);
        return Digest.Of(bytes).Hex == etag?.Trim('"') ? bytes
            : throw new CliException("digest-mismatch", ExitCode.Refused, $"What arrived of {set} does not have the digest {etag}.", "Fetch it again.");
    }

    public static Task<LeaderboardView> GetLeaderboard(
        this MarketplaceClient client, string baseModel, string set, string? metric, int? tried, string? delta, int limit, CancellationToken ct) =>
        client.Connection.Get<LeaderboardView>(
            $"leaderboards?baseModel={Escape(baseModel)}&set={Escape(set)}&limit={limit}{(metric is null ? "" : $"&metric={Escape(metric)}")}{(tried is null ? "" : $"&tried={tried}")}{(delta is null ? "" : $"&delta={Escape(delta)}")}", ct);

    public static Task<EvaluationView> GetEvaluation(this MarketplaceClient client, string id, CancellationToken ct) =>
        client.Connection.Get<EvaluationView>($"evaluations/{Escape(id)}", ct);

    /// <summary>An evaluation's predictions, as they are stored.</summary>
    public static async Task<byte[]> DownloadPredictions(this MarketplaceClient client, string id, CancellationToken ct) =>
        (await Follow(client, $"evaluations/{Escape(id)}/predictions", ct)).Bytes;

    public static Task<EvaluationComparisonView> CompareEvaluations(this MarketplaceClient client, CompareEvaluationsRequest request, CancellationToken ct) =>
        client.Connection.Post<EvaluationComparisonView>("evaluations/compare", request, ct);

    public static Task<EnsembleView> MixEvaluations(this MarketplaceClient client, EnsembleRequest request, CancellationToken ct) =>
        client.Connection.Post<EnsembleView>("evaluations/ensemble", request, ct);

    private static string Route(AdapterId set) => $"evaluation-sets/{set.Owner}/{set.Name}";

    private static string Escape(string text) => Uri.EscapeDataString(text);

    // The address that an answer leads to is signed and must not be given the key.
    private static async Task<(byte[] Bytes, string? ETag)> Follow(MarketplaceClient client, string route, CancellationToken ct)
    {
        using var answer = await client.Connection.SendRaw(new HttpRequestMessage(HttpMethod.Get, route), HttpCompletionOption.ResponseHeadersRead, ct);
        using var storage = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        return (await storage.GetByteArrayAsync(new Uri(client.Connection.Address, answer.Headers.Location!), ct), answer.Headers.ETag?.Tag);
    }
}

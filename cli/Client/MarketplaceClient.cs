using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Api;
using Marketplace.Core.Lineage;
using Marketplace.Core.Merges;

namespace Marketplace.Cli.Client;

/// <summary>The native API (docs/api.md), one method for each route.</summary>
internal sealed class MarketplaceClient(Uri address, string? key) : IDisposable
{
    /// <summary>The connection under it.</summary>
    public ApiConnection Connection { get; } = new(address, key);

    public Task<HealthView> GetHealth(CancellationToken ct) => Connection.Get<HealthView>("health", ct);

    public Task<WhoAmIView> WhoAmI(CancellationToken ct) => Connection.Get<WhoAmIView>("whoami", ct);

    public IAsyncEnumerable<AdapterView> ListAdapters(AdapterFilter filter, CancellationToken ct) => All<AdapterView>(filter.Route, ct);

    public Task<AdapterView> GetAdapter(AdapterReference adapter, CancellationToken ct) => Connection.Get<AdapterView>(adapter.Route, ct);

    public Task<AdapterView> SetListed(AdapterReference adapter, bool listed, CancellationToken ct) =>
        Connection.Patch<AdapterView>(adapter.Route, new UpdateAdapterRequest(listed), ct);

    public Task DeleteAdapter(AdapterReference adapter, CancellationToken ct) => Connection.Send(HttpMethod.Delete, adapter.Route, ct);

    public Task<TakedownView> TakeDown(AdapterReference adapter, TakedownRequest request, CancellationToken ct) => Connection.Post<TakedownView>($"{adapter.Route}/takedown", request, ct);

    public Task<TakedownView> GetTakedown(AdapterReference adapter, CancellationToken ct) => Connection.Get<TakedownView>($"{adapter.Route}/takedown", ct);

    public Task<RestoreView> Restore(AdapterReference adapter, CancellationToken ct) => Connection.Delete<RestoreView>($"{adapter.Route}/takedown", ct);

    /// <summary>Audit events; the query begins with an ampersand or is empty.</summary>
    public IAsyncEnumerable<AuditEventView> ListAudit(string query, CancellationToken ct) => All<AuditEventView>($"audit?limit=200{query}", ct);

    public IAsyncEnumerable<VersionView> ListVersions(AdapterReference adapter, CancellationToken ct) => All<VersionView>($"{adapter.Route}/versions", ct);

    public Task<VersionView> GetVersion(AdapterReference adapter, CancellationToken ct) => Connection.Get<VersionView>(adapter.VersionRoute, ct);

    public Task<RankView> GetRank(AdapterReference adapter, int rank, CancellationToken ct) => Connection.Get<RankView>($"{adapter.VersionRoute}/ranks/{rank}", ct);

    public Task<JsonElement> GetReport(AdapterReference adapter, CancellationToken ct) => Connection.Get<JsonElement>($"{adapter.VersionRoute}/report", ct);

    public Task<MergeReportView> GetMergeReport(AdapterReference adapter, CancellationToken ct) => Connection.Get<MergeReportView>($"{adapter.VersionRoute}/merge-report", ct);

    public Task<LineageGraph> GetLineage(AdapterReference adapter, int limit, CancellationToken ct) => Connection.Get<LineageGraph>($"{adapter.VersionRoute}/lineage?limit={limit}", ct);

    public Task<AdapterStatistics> GetAnalysis(AdapterReference adapter, CancellationToken ct) => Connection.Get<AdapterStatistics>($"{adapter.VersionRoute}/analysis", ct);

    public Task<ListResponse<SimilarView>> ListSimilar(AdapterReference adapter, int limit, string similarity, CancellationToken ct) =>
        Connection.Get<ListResponse<SimilarView>>($"{adapter.Route}/similar?limit={limit}&similarity={similarity}", ct);

    public Task<NoveltyView> GetNovelty(AdapterReference adapter, CancellationToken ct) => Connection.Get<NoveltyView>($"{adapter.Route}/novelty", ct);

    public Task<UploadTicket> BeginUpload(BeginUploadRequest request, CancellationToken ct) => Connection.Post<UploadTicket>("uploads", request, ct);

    public Task<UploadStatus> CompleteUpload(string uploadId, CancellationToken ct) => Connection.Post<UploadStatus>($"uploads/{uploadId}/complete", null, ct);

    public Task<UploadStatus> GetUpload(string uploadId, CancellationToken ct) => Connection.Get<UploadStatus>($"uploads/{uploadId}", ct);

    public Task<CompatibilityView> Compare(CompatibilityRequest request, CancellationToken ct) => Connection.Post<CompatibilityView>("compatibility", request, ct);

    public Task<JobView> RequestMerge(MergeRecipe request, CancellationToken ct) => Connection.Post<JobView>("merges", request, ct);

    public Task<JobView> RequestComposition(CompositionRequest request, CancellationToken ct) => Connection.Post<JobView>("compositions", request, ct);

    public Task<MergePlanView> PlanMerge(MergeRecipe request, CancellationToken ct) => Connection.Post<MergePlanView>("merges/plan", request, ct);

    public Task<JobView> RequestSubtraction(SubtractionRequest request, CancellationToken ct) => Connection.Post<JobView>("subtractions", request, ct);

    public Task<JobView> RequestSubtractionBatch(SubtractionBatchRequest request, CancellationToken ct) => Connection.Post<JobView>("subtractions/batch", request, ct);

    public Task<JobView> BuildLibrary(string snapshot, BuildLibraryRequest request, CancellationToken ct) =>
        Connection.Post<JobView>($"clusterings/{Uri.EscapeDataString(snapshot)}/build", request, ct);

    public Task<ListResponse<CollectionView>> ListCollections(string? owner, CancellationToken ct) =>
        Connection.Get<ListResponse<CollectionView>>(owner is null ? "collections" : $"collections?owner={Uri.EscapeDataString(owner)}", ct);

    public Task<CollectionView> GetCollection(AdapterId id, CancellationToken ct) => Connection.Get<CollectionView>($"collections/{id}", ct);

    public Task DeleteCollection(AdapterId id, CancellationToken ct) => Connection.Send(HttpMethod.Delete, $"collections/{id}", ct);

    public Task<JobView> RequestClustering(ClusteringRequest request, CancellationToken ct) => Connection.Post<JobView>("clusterings", request, ct);

    public Task<ClusterSnapshotView> GetSnapshot(string id, CancellationToken ct) => Connection.Get<ClusterSnapshotView>($"clusterings/{Uri.EscapeDataString(id)}", ct);

    /// <summary>The cluster of an adapter; null where no snapshot has it.</summary>
    public async Task<AdapterClusterView?> FindCluster(AdapterReference adapter, CancellationToken ct)
    {
        try
        {
            return await Connection.Get<AdapterClusterView>($"{adapter.Route}/cluster", ct);
        }
        catch (ApiException e) when (e.Status == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    public Task<ClusterMapView> GetMap(string id, CancellationToken ct) => Connection.Get<ClusterMapView>($"clusterings/{Uri.EscapeDataString(id)}/map", ct);

    public Task<ListResponse<ClusterSnapshotSummary>> ListSnapshots(string baseModel, CancellationToken ct) =>
        Connection.Get<ListResponse<ClusterSnapshotSummary>>($"clusterings?baseModel={Uri.EscapeDataString(baseModel)}", ct);

    public Task<DiverseView> GetDiverse(string baseModel, int count, string objective, string scope, bool derived, CancellationToken ct) =>
        Connection.Get<DiverseView>($"libraries/diverse?baseModel={Uri.EscapeDataString(baseModel)}&count={count}&objective={objective}&scope={scope}&derived={(derived ? "true" : "false")}", ct);

    public Task<JobView> RequestRouter(RouterRequest request, CancellationToken ct) => Connection.Post<JobView>("routers", request, ct);

    public Task<RouterView> GetRouter(string id, CancellationToken ct) => Connection.Get<RouterView>($"routers/{Uri.EscapeDataString(id)}", ct);

    /// <summary>Tokens in JSON or safetensors, as the content's type says.</summary>
    public Task<RouteView> Route(string id, string query, HttpContent tokens, CancellationToken ct) =>
        Connection.Post<RouteView>($"routers/{Uri.EscapeDataString(id)}/route{(query.Length > 0 ? "?" + query : "")}", tokens, ct);

    /// <summary>Fetches a router's file; it takes its place only when its digest is right.</summary>
    public async Task DownloadRouterFile(RouterView router, RouterFileView file, string path, CancellationToken ct)
    {
        using var answer = await Connection.SendRaw(
            new HttpRequestMessage(HttpMethod.Get, $"routers/{Uri.EscapeDataString(router.Id)}/files/{Uri.EscapeDataString(file.Name)}"), HttpCompletionOption.ResponseHeadersRead, ct);
        using var storage = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        var partial = path + ".part";
        await using (var target = new FileStream(partial, FileMode.Create, FileAccess.ReadWrite))
        {
            await using var source = await storage.GetStreamAsync(new Uri(Connection.Address, answer.Headers.Location!), ct);
            await source.CopyToAsync(target, ct);
            target.Position = 0;
            if (Digest.FromHash(await System.Security.Cryptography.SHA256.HashDataAsync(target, ct)).Hex != file.Sha256)
                throw new CliException("digest-mismatch", ExitCode.Refused, $"What arrived as {file.Name} does not have the digest {file.Sha256}.", "Fetch it again.");
        }

        File.Move(partial, path, overwrite: true);
    }

    public IAsyncEnumerable<JobView> ListJobs(CancellationToken ct) => All<JobView>("jobs", ct);

    public Task<JobView> GetJob(string id, CancellationToken ct) => Connection.Get<JobView>($"jobs/{Uri.EscapeDataString(id)}", ct);

    public Task<JobView> CancelJob(string id, CancellationToken ct) => Connection.Post<JobView>($"jobs/{Uri.EscapeDataString(id)}/cancel", null, ct);

    public Task<JobView> RetryJob(string id, CancellationToken ct) => Connection.Post<JobView>($"jobs/{Uri.EscapeDataString(id)}/retry", null, ct);

    public Task<UploadStatus> RetryUpload(string id, CancellationToken ct) => Connection.Post<UploadStatus>($"uploads/{Uri.EscapeDataString(id)}/retry", null, ct);

    public Task<FailuresView> ListFailures(int days, CancellationToken ct) => Connection.Get<FailuresView>($"failures?days={days}", ct);

    public IAsyncEnumerable<KeyView> ListKeys(string? owner, CancellationToken ct) => All<KeyView>("keys" + OfOwner(owner), ct);

    public Task<KeyView> CreateKey(CreateKeyRequest request, CancellationToken ct) => Connection.Post<KeyView>("keys", request, ct);

    public Task RevokeKey(string id, string? owner, CancellationToken ct) => Connection.Send(HttpMethod.Delete, $"keys/{Uri.EscapeDataString(id)}{OfOwner(owner)}", ct);

    public IAsyncEnumerable<BaseModelView> ListBaseModels(CancellationToken ct) => All<BaseModelView>("base-models", ct);

    public Task<JobView> RequestEvaluation(EvaluationRequest request, CancellationToken ct) => Connection.Post<JobView>("evaluations", request, ct);

    public Task<UploadTicket> RegisterBaseModel(RegisterBaseModelRequest request, CancellationToken ct) => Connection.Post<UploadTicket>("base-models", request, ct);

    public Task<BaseModelWeightsView> GetBaseModelWeights(AdapterId id, string? version, CancellationToken ct) =>
        Connection.Get<BaseModelWeightsView>($"base-models/{id}/weights{(version is null ? "" : $"?version={Uri.EscapeDataString(version)}")}", ct);

    public Task<BaseModelAliasView> ResolveBaseModel(string name, CancellationToken ct) =>
        Connection.Get<BaseModelAliasView>($"base-models/resolve?name={Uri.EscapeDataString(name)}", ct);

    public Task<ConfirmAliasResponse> ConfirmAlias(ConfirmAliasRequest request, CancellationToken ct) =>
        Connection.Post<ConfirmAliasResponse>("base-models/aliases", request, ct);

    public Task<AllocateSubspacesResponse> AllocateSubspaces(AllocateSubspacesRequest request, CancellationToken ct) =>
        Connection.Post<AllocateSubspacesResponse>("base-models/subspaces", request, ct);

    /// <summary><paramref name="name"/> as <c>owner/name</c>: a bare name belongs to the caller's account.</summary>
    public async Task<AdapterId> ResolveOwnName(string name, CancellationToken ct)
    {
        if (!name.Contains('/', StringComparison.Ordinal))
        {
            var owner = (await WhoAmI(ct)).Owner
                ?? throw new CliException("unauthenticated", ExitCode.NotAuthorised, "Publishing needs an API key.", CliHints.Key);
            name = $"{owner}/{name}";
        }

        return AdapterId.TryParse(name, out var id) ? id : throw CliException.Usage(
            $"'{name}' can't be an adapter's name.", "Write owner/name with letters, digits, '.', '_' and '-', neither beginning nor ending with '.' or '-'.");
    }

    public void Dispose() => Connection.Dispose();

    private static string OfOwner(string? owner) => owner is null ? "" : $"?owner={Uri.EscapeDataString(owner)}";

    // Follows the continuations.
    private async IAsyncEnumerable<T> All<T>(string route, [EnumeratorCancellation] CancellationToken ct)
    {
        string? continuation = null;
        do
        {
            var separator = route.Contains('?', StringComparison.Ordinal) ? '&' : '?';
            var next = continuation is null ? route : $"{route}{separator}continuation={Uri.EscapeDataString(continuation)}";
            var part = await Connection.Get<ListResponse<T>>(next, ct);
            foreach (var item in part.Items)
                yield return item;
            continuation = part.Continuation;
        }
        while (continuation is not null);
    }
}

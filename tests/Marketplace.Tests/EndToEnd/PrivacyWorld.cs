using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Tests.Evaluation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>
/// Something of Ann's that is private, and something of the same kind that does not exist: for others the two must be the same.
/// Both texts have the same length, so that not even a Content-Length differs.
/// </summary>
internal sealed record Subject(string Kind, string Hidden, string Absent)
{
    public override string ToString() => $"{Kind} {Hidden}";
}

/// <summary>Two accounts: Ann publishes, privately for the most part; Eve is curious.</summary>
public sealed class PrivacyWorld(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
{
    public const string Base = StackAdapters.BaseModel;
    public const string SecretBase = "Secret-Lab/Hidden-Base";
    public const string SecretPath = "/home/ann/models/hidden";
    public const string SecretAccount = "shy-ann";

    private string openSnapshot = "";

    internal StackApi Ann { get; private set; } = null!;

    internal StackApi Eve { get; private set; } = null!;

    /// <summary>A third account, which confirms aliases, so that Eve has none.</summary>
    internal StackApi Mallory { get; private set; } = null!;

    internal VersionReference HiddenVersion { get; private set; } = null!;

    /// <summary>Subjects by kind.</summary>
    internal ILookup<string, Subject> Subjects { get; private set; } = null!;

    /// <summary>What the others saw before Ann had secrets.</summary>
    internal IReadOnlyDictionary<string, StackAnswer> Before { get; private set; } = null!;

    /// <summary>What they saw afterwards.</summary>
    internal IReadOnlyDictionary<string, StackAnswer> After { get; private set; } = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        (Ann, Eve, Mallory) = (await Stack.AccountAsync("ann"), await Stack.AccountAsync("eve"), await Stack.AccountAsync("mallory"));
        await Ann.PublishedAsync("ann/open-1", StackAdapters.Files(1, card: "Open"));
        await Ann.PublishedAsync("ann/open-2", StackAdapters.Files(2));
        await Eve.PublishedAsync("eve/open-3", StackAdapters.Files(3));
        var open = await EndedAsync(Eve, "/clusterings", new ClusteringRequest(Base, K: 2));
        openSnapshot = JsonSerializer.Deserialize<ClusteringResult>(open.Result!.Value, ApiJson.Options)!.SnapshotId;
        await OpenEvaluationAsync();
        Before = await LookAsync();

        HiddenVersion = await Ann.PublishedAsync("ann/hidden-1", StackAdapters.Files(11, card: "Hidden"), isPrivate: true);
        await Ann.PublishedAsync("ann/hidden-2", StackAdapters.Files(12, SecretBase), isPrivate: true);
        await Ann.PublishedAsync("ann/hidden-3", StackAdapters.Files(3), isPrivate: true);
        await Ann.PublishedAsync("ann/hidden-4", StackAdapters.Files(14, SecretPath), isPrivate: true);
        var shy = await Stack.AccountAsync(SecretAccount);
        await shy.PublishedAsync($"{SecretAccount}/hidden-5", StackAdapters.Files(15), isPrivate: true);
        Assert.Equal(204, (await Ann.SendAsync(HttpMethod.Put, "/adapters/ann/hidden-1/tags/hidden-tag")).Status);
        await Ann.PostAsync<ConfirmAliasResponse>("/base-models/aliases", new ConfirmAliasRequest(SecretPath, Base), 200);
        var subtraction = await EndedAsync(Ann, "/subtractions", new SubtractionRequest("ann/hidden-1", [new("ann/open-1")], new OutputRequest("ann/hidden-6", Private: true)));
        var clustering = await EndedAsync(Ann, "/clusterings", new ClusteringRequest(Base, K: 2, Scope: "mine"));
        var snapshot = JsonSerializer.Deserialize<ClusteringResult>(clustering.Result!.Value, ApiJson.Options)!.SnapshotId;
        await EndedAsync(Ann, "/subtractions/batch", new SubtractionBatchRequest([new("ann/open-1")], new("ann/hidden-c", "hidden-{name}", Private: true), ["ann/hidden-1", "ann/open-2"]));
        var router = JsonSerializer.Deserialize<RouterResult>((await EndedAsync(Ann, "/routers", new RouterRequest(["ann/open-1", "ann/hidden-1"]))).Result!.Value, ApiJson.Options)!.RouterId;
        var subtracted = JsonSerializer.Deserialize<RouterResult>(
            (await EndedAsync(Ann, "/routers", new RouterRequest(["ann/open-1"], General: [new("ann/hidden-1")]))).Result!.Value, ApiJson.Options)!.RouterId;
        var upload = await Ann.StageAsync("ann/hidden-7", StackAdapters.Files(17), isPrivate: true);
        var key = await Ann.PostAsync<KeyView>("/keys", new CreateKeyRequest("spare"), 201);

        // Also what is down is private still.
        await Ann.PublishedAsync("ann/hidden-0", StackAdapters.Files(10), isPrivate: true);
        await Stack.Admin.PostAsync<TakedownView>("/adapters/ann/hidden-0/takedown", new TakedownRequest("legal", "Something hidden."), 200);

        var (onSet, ofAdapter, ofMixture) = await HiddenEvaluationsAsync();

        Subjects = new Subject[]
        {
            new("set", "ann/hidden-s", "ann/absent-s"), new("set", "ANN/Hidden-S", "ANN/Absent-S"),
            new("evaluation", onSet, Other(onSet)), new("evaluation", ofAdapter, Other(ofAdapter)), new("evaluation", ofMixture, Other(ofMixture)),
            new("adapter", "ann/hidden-1", "ann/absent-1"), new("adapter", "ann/hidden-2", "ann/absent-2"), new("adapter", "ann/hidden-3", "ann/absent-3"),
            new("adapter", "ann/hidden-4", "ann/absent-4"), new("adapter", "ann/hidden-6", "ann/absent-6"), new("adapter", "ANN/Hidden-1", "ANN/Absent-1"),
            new("adapter", "ann/hidden-0", "ann/absent-0"),
            new("adapter", $"{SecretAccount}/hidden-5", $"{SecretAccount}/absent-5"),
            new("account", SecretAccount, "not-there"[..SecretAccount.Length]),
            new("base", SecretBase, "Secret-Lab/Absent-Base"), new("base", SecretBase.ToLowerInvariant(), "secret-lab/absent-base"),
            new("base", SecretPath, "/home/ann/models/absent"),
            new("job", subtraction.JobId, Other(subtraction.JobId)), new("job", clustering.JobId, Other(clustering.JobId)),
            new("collection", "ann/hidden-c", "ann/absent-c"), new("collection", "ANN/Hidden-C", "ANN/Absent-C"),
            new("router", router, Other(router)), new("router", subtracted, Other(subtracted)),
            new("snapshot", snapshot, Other(snapshot)), new("upload", upload.UploadId, Other(upload.UploadId)), new("key", key.Id, Other(key.Id)),
        }.ToLookup(s => s.Kind);
        After = await LookAsync();
    }

    // What everybody may see: a set, and how the base model does on it.
    private async Task OpenEvaluationAsync()
    {
        await Stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/open-set"), TrainedFixture.Set("copy"), false, "ann");
        await StoredEvaluations.PutAsync(Stack.Storage, "ann/open-set", Base, new BaseSubject(), TrainedFixture.Measured("base", "copy"));
    }

    // A result on a private set, one of a private adapter, one in which a private adapter takes part.
    private async Task<(string OnSet, string OfAdapter, string OfMixture)> HiddenEvaluationsAsync()
    {
        await Stack.Storage.EvaluationSets.PublishAsync(AdapterId.Parse("ann/hidden-s"), TrainedFixture.Set("copy"), true, "ann");
        var (hidden, open) = (await StoredEvaluations.AdapterAsync(Stack.Storage, "ann/hidden-1"), await StoredEvaluations.AdapterAsync(Stack.Storage, "ann/open-1"));
        async Task<string> Put(string set, EvaluationSubject subject) =>
            (await StoredEvaluations.PutAsync(Stack.Storage, set, Base, subject, TrainedFixture.Measured("adapter:copy", "copy"), candidates: 9)).Id;
        return (await Put("ann/hidden-s", new BaseSubject()), await Put("ann/open-set", hidden), await Put("ann/open-set", new MixtureSubject([new(open), new(hidden)]).Canonical(a => a)));
    }

    internal static async Task<JobView> EndedAsync(StackApi caller, string route, object request)
    {
        var job = await caller.EndedAsync((await caller.PostAsync<JobView>(route, request, 202)).JobId);
        Assert.True(job.Status == "succeeded", $"{job.Code}: {job.Detail}");
        return job;
    }

    /// <summary>What Eve and passers-by see without naming anything.</summary>
    private async Task<Dictionary<string, StackAnswer>> LookAsync()
    {
        var answers = new Dictionary<string, StackAnswer>();
        foreach (var (name, caller) in new[] { ("eve", Eve), ("anonymous", Stack.Anonymous) })
        {
            foreach (var route in new[]
            {
                "/health", "/whoami", "/failures", "/merge-methods", "/base-models", $"/base-models/resolve?name={Base}", $"/clusterings?baseModel={Base}",
                $"/libraries/diverse?baseModel={Base}", $"/libraries/diverse?baseModel={Base}&scope=mine&objective=logDeterminant",
                "/health", "/whoami", "/failures", "/merge-methods", "/base-models", $"/base-models/resolve?name={Base}", $"/clusterings?baseModel={Base}", $"/clusterings/{openSnapshot}", $"/clusterings/{openSnapshot}/map", $"/clusterings/{openSnapshot}/map.svg",
                "/adapters/ann/open-1/cluster", "/adapters/eve/open-3/cluster",
                "/adapters", "/adapters?owner=ann", "/adapters?owner=ann&unlisted=true", $"/adapters?baseModel={Base}", "/adapters?q=hidden", "/adapters?q=en-", "/adapters?tag=hidden-tag",
                $"/adapters?owner=ann&baseModel={Base}&q=open", "/adapters/ann/open-1", "/adapters/ann/open-1/versions", "/adapters/ann/open-1/versions/main/report",
                "/adapters/ann/open-1/similar", "/adapters/eve/open-3", "/adapters/eve/open-3/versions", "/adapters/eve/open-3/versions/1", "/adapters/eve/open-3/versions/1/report",
                "/adapters/eve/open-3/similar?limit=10", "/adapters/eve/open-3/similar?similarity=flatAb", "/adapters/eve/open-3/novelty", "/adapters/ann/open-1/novelty",
                "/adapters/eve/open-3/versions/1/analysis", "/jobs", "/keys", "/collections?owner=ann", "/collections?owner=eve",
                "/evaluation-sets", "/evaluation-sets?owner=ann", "/evaluation-sets?limit=1", "/evaluation-sets/ann/open-set", $"/leaderboards?baseModel={Base}&set=ann/open-set",
            })
            {
                answers[$"{name} {route}"] = await caller.SendAsync(HttpMethod.Get, route);
            }

            // Page by page, so that every continuation shows.
            foreach (var list in new[] { "/adapters?limit=1", "/adapters?owner=ann&limit=1", $"/adapters?baseModel={Base}&limit=1", "/adapters?q=en&limit=1" })
            {
                var route = list;
                for (var page = 0; page < 9; page++)
                {
                    var answer = answers[$"{name} {list} page {page}"] = await caller.SendAsync(HttpMethod.Get, route);
                    if (answer.Read<ListResponse<AdapterView>>().Continuation is not { } continuation)
                        break;
                    route = $"{list}&continuation={Uri.EscapeDataString(continuation)}";
                }
            }
        }

        answers["eve asks for clusters"] = await Eve.SendAsync(HttpMethod.Post, "/clusterings", new ClusteringRequest(Base, K: 2));
        return answers;
    }

    private static string Other(string id) => new([.. id.Select(c => c switch { '0' => '1', 'f' => 'e', _ when char.IsAsciiDigit(c) => '0', _ => 'f' })]);
}

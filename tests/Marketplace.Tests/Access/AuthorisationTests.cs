using System.Text.RegularExpressions;
using Marketplace.Core.Api;
using Marketplace.Functions;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Access;

/// <summary>Every function by every kind of caller: who is let in, who is refused and how.</summary>
public sealed partial class AuthorisationTests(AuthorisationTests.Fixture fixture) : IClassFixture<AuthorisationTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;
    private readonly TestIssuer issuer = fixture.Issuer;

    public sealed class Fixture : StackFixture
    {
        public Fixture(AzuriteFixture azurite)
            : this(azurite, new TestIssuer())
        {
        }

        private Fixture(AzuriteFixture azurite, TestIssuer issuer)
            : base(azurite, new StackSettings { Environment = new Dictionary<string, string>(issuer.Environment) { ["Marketplace__Limits__FailuresPerMinute"] = "1000000" } }) => Issuer = issuer;

        internal TestIssuer Issuer { get; }

        internal IReadOnlyList<MatrixCaller> Callers { get; private set; } = [];

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Callers = await AuthorisationCallers.CreateAsync(Stack, Issuer);
        }
    }

    /// <summary>What the table should say, written down a second time: a function that became open by mistake would be open in a test that believes the table.</summary>
    private static Dictionary<string, string[]> Access { get; } = new()
    {
        ["anyone"] =
        [
            "Health", "WhoAmI", "ListAdapters", "GetAdapter", "ListVersions", "GetVersion", "GetReport", "GetAnalysis", "GetMergeReport", "GetLineage", "DownloadFile", "GetRank", "GetCluster",
            "FindSimilar", "GetNovelty", "GetTakedown", "CompareAdapters", "ListMergeMethods", "ListClusterings", "ListCollections", "GetCollection", "FindDiverse", "GetRouter", "DownloadRouterFile", "RouteTokens",
            "GetClustering", "GetClusterMap", "GetClusterMapSvg", "ListEvaluationSets", "GetEvaluationSet", "ListEvaluationSetVersions", "DownloadEvaluationSet", "GetEvaluation",
            "DownloadPredictions", "CompareEvaluations", "MixEvaluations", "GetLeaderboard", "ListBaseModels", "GetBaseModelWeights", "ResolveBaseModel",
            "HubGetModel", "HubGetRevision", "HubListModels", "HubListTree", "HubDescribePaths", "HubListRefs", "HubListCommits", "HubZUnowned", "HubResolveFile", "HubResolveRaw", "HubResolveUnowned",
            "HubCheckAccess", "HubValidateYaml", "HubXetToken",
        ],
        ["read"] = ["PlanMerge", "ListJobs", "GetJob", "WatchJob", "ListKeys", "CreateKey", "RevokeKey", "GetAccount", "ListAudit", "HubWhoAmI"],
        ["publish"] =
        [
            "UpdateAdapter", "DeleteAdapter", "SetTag", "DeleteTag", "BeginUpload", "GetUpload", "GetUploadReport", "CompleteUpload", "CancelUpload", "RequestMerge", "RequestComposition", "RequestSubtraction",
            "RequestSubtractionBatch", "RequestClustering", "BuildLibrary", "DeleteCollection", "RequestRouter", "PublishEvaluationSet", "UpdateEvaluationSet", "DeleteEvaluationSet",
            "RequestEvaluation", "CancelJob", "ConfirmAlias", "AllocateSubspaces",
            "HubCreateRepository", "HubDeleteRepository", "HubMoveRepository", "HubUpdateSettings", "HubCheckWriteAccess", "HubPreupload", "HubLfsBatch", "HubCommit", "HubCreateTag", "HubDeleteTag",
            "HubCreateBranch", "HubDeleteBranch",
        ],
        ["admin"] =
        [
            "TakeDownAdapter", "RestoreAdapter", "ListFailures", "RetryJob", "RetryUpload", "RegisterBaseModel", "SetQuota", "ListIdentities", "BindIdentity", "UnbindIdentity",
        ],
    };

    /// <summary>Functions that refuse, by themselves and whatever exists, accounts other than the one they are asked about.</summary>
    private static HashSet<string> ForItself { get; } = ["GetAccount"];

    /// <summary>What stands for the parts of a route. None of it exists.</summary>
    private static Dictionary<string, string> Parts { get; } = new()
    {
        ["owner"] = AuthorisationCallers.Owner,
        ["name"] = "absent",
        ["revision"] = "main",
        ["**path"] = "adapter_config.json",
        ["rank"] = "1",
        ["tag"] = "absent",
        ["id"] = new string('0', 32),
        ["objectId"] = "11111111-2222-3333-4444-555555555555",
    };

    public static TheoryData<string> Functions => [.. FunctionTable.Routed.Select(f => f.Name)];

    [Fact]
    public void The_table_asks_for_what_is_written_here()
    {
        var written = Access.SelectMany(a => a.Value.Select(name => $"{name}: {a.Key}")).Order(StringComparer.Ordinal);
        var table = FunctionTable.Routed.Select(f => $"{f.Name}: {f.Access?.ToString().ToLowerInvariant() ?? "anyone"}").Order(StringComparer.Ordinal);
        Assert.Equal(written, table);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public Task A_function_lets_in_whom_it_should(string name) => stack.RunAsync(async () =>
    {
        var function = FunctionTable.Routed.Single(f => f.Name == name);
        var route = Part().Replace(function.Pattern, m => Parts.TryGetValue(m.Groups[1].Value, out var value) ? value : throw new InvalidOperationException($"Nobody has thought about {m.Value}."));
        var asked = fixture.Callers.Select(async caller => (caller, Answer: await caller.Api.AtAsync(new HttpMethod(function.Method), route, function.Method is "GET" or "DELETE" ? null : new { })));
        foreach (var (caller, answer) in await Task.WhenAll(asked))
        {
            // The Hub's protocol tells refusals of this kind by their status.
            var seen = answer.Status is not (401 or 403 or 429 or >= 500) ? "let in" : function.Hub ? $"{answer.Status}" : $"{answer.Status} {answer.Read<ProblemView>().Code}";
            Assert.True(seen == Expected(function, caller) || (function.Hub && seen == Expected(function, caller)[..3]), $"{name} by {caller.Kind}: {Expected(function, caller)} was expected, not {seen}: {answer.Body}");
        }
    });

    private static string Expected(HttpFunction function, MatrixCaller caller) => caller.Standing switch
    {
        Standing.Invalid => "401 unauthenticated",
        Standing.WithoutRole => "403 forbidden",
        _ when function.Access is null => "let in",
        Standing.Anonymous => "401 unauthenticated",
        _ when caller.Scope < function.Access => "403 forbidden",
        Standing.NoAccount => "403 no-account",
        _ when ForItself.Contains(function.Name) && caller.Owner != AuthorisationCallers.Owner && caller.Scope != KeyScope.Admin => "403 forbidden",
        _ => "let in",
    };

    [GeneratedRegex(@"\{([^}]+)\}")]
    private static partial Regex Part();
}

using Marketplace.Functions.Accounts;
using Marketplace.Functions.Adapters;
using Marketplace.Functions.Audit;
using Marketplace.Functions.BaseModels;
using Marketplace.Functions.Clusterings;
using Marketplace.Functions.Collections;
using Marketplace.Functions.Compositions;
using Marketplace.Functions.Evaluations;
using Marketplace.Functions.EvaluationSets;
using Marketplace.Functions.Hub;
using Marketplace.Functions.Jobs;
using Marketplace.Functions.Libraries;
using Marketplace.Functions.Maintenance;
using Marketplace.Functions.Merges;
using Marketplace.Functions.Routers;
using Marketplace.Functions.Subtractions;
using Marketplace.Functions.Uploads;
using Marketplace.Storage;

namespace Marketplace.Functions;

/// <summary>Every function of the app: what calls it, who may, and what runs. The hosts in Hosting/ read nothing else.</summary>
public static class FunctionTable
{
    public const string RoutePrefix = "/api/v1";

    private const KeyScope Read = KeyScope.Read;
    private const KeyScope Publish = KeyScope.Publish;
    private static KeyScope? Anyone => null;

    public static IReadOnlyList<HttpFunction> Http { get; } =
    [
        new("Health", "GET", "/health", Anyone, Health.Handle, "Whether storage is reachable"),
        new("WhoAmI", "GET", "/whoami", Anyone, WhoAmI.Handle, "The caller's account and scope"),

        new("ListAdapters", "GET", "/adapters", Anyone, ListAdapters.Handle, "List and search adapters"),
        new("GetAdapter", "GET", "/adapters/{owner}/{name}", Anyone, GetAdapter.Handle, "One adapter"),
        new("UpdateAdapter", "PATCH", "/adapters/{owner}/{name}", Publish, UpdateAdapter.Handle, "Unlist an adapter, or list it again"),
        new("DeleteAdapter", "DELETE", "/adapters/{owner}/{name}", Publish, DeleteAdapter.Handle, "Delete an adapter with all its versions"),
        new("ListVersions", "GET", "/adapters/{owner}/{name}/versions", Anyone, ListVersions.Handle, "An adapter's versions, newest first"),
        new("GetVersion", "GET", "/adapters/{owner}/{name}/versions/{revision}", Anyone, GetVersion.Handle, "One version"),
        new("GetReport", "GET", "/adapters/{owner}/{name}/versions/{revision}/report", Anyone, GetReport.Handle, "Validation report of a version"),
        new("GetAnalysis", "GET", "/adapters/{owner}/{name}/versions/{revision}/analysis", Anyone, GetAnalysis.Handle, "Norms, spectra and ranks of a version, module by module"),
        new("GetMergeReport", "GET", "/adapters/{owner}/{name}/versions/{revision}/merge-report", Anyone, GetMergeReport.Handle, "What became of the merge that made a version"),
        new("GetLineage", "GET", "/adapters/{owner}/{name}/versions/{revision}/lineage", Anyone, GetLineage.Handle, "What a version was made of, down to the trained adapters"),
        new("DownloadFile", "GET", "/adapters/{owner}/{name}/versions/{revision}/files/{**path}", Anyone, DownloadFile.Handle, "Redirect to a file's bytes") { ExpensiveWith = "rank" },
        new("GetRank", "GET", "/adapters/{owner}/{name}/versions/{revision}/ranks/{rank}", Anyone, GetRank.Handle, "A version truncated to a smaller rank: files and what is lost") { Cost = RequestCost.Expensive },
        new("SetTag", "PUT", "/adapters/{owner}/{name}/tags/{tag}", Publish, SetTag.Handle, "Name a version"),
        new("DeleteTag", "DELETE", "/adapters/{owner}/{name}/tags/{tag}", Publish, DeleteTag.Handle, "Forget a version's name"),
        new("GetCluster", "GET", "/adapters/{owner}/{name}/cluster", Anyone, GetCluster.Handle, "The cluster that an adapter is in"),
        new("FindSimilar", "GET", "/adapters/{owner}/{name}/similar", Anyone, FindSimilar.Handle, "Nearest adapters of the same base model") { Cost = RequestCost.Expensive },
        new("GetNovelty", "GET", "/adapters/{owner}/{name}/novelty", Anyone, GetNovelty.Handle, "What an adapter adds to its library: reuse or add") { Cost = RequestCost.Expensive },

        new("TakeDownAdapter", "POST", "/adapters/{owner}/{name}/takedown", KeyScope.Admin, TakeDownAdapter.Handle, "Take an adapter down"),
        new("GetTakedown", "GET", "/adapters/{owner}/{name}/takedown", Anyone, GetTakedown.Handle, "That an adapter is down, and why"),
        new("RestoreAdapter", "DELETE", "/adapters/{owner}/{name}/takedown", KeyScope.Admin, RestoreAdapter.Handle, "Restore an adapter that was taken down"),

        new("BeginUpload", "POST", "/uploads", Publish, BeginUpload.Handle, "Begin an upload"),
        new("GetUpload", "GET", "/uploads/{id}", Publish, GetUpload.Handle, "How far an upload got"),
        new("GetUploadReport", "GET", "/uploads/{id}/report", Publish, GetUploadReport.Handle, "Validation report of an upload"),
        new("CompleteUpload", "POST", "/uploads/{id}/complete", Publish, CompleteUpload.Handle, "Validate and publish an upload"),
        new("CancelUpload", "DELETE", "/uploads/{id}", Publish, CancelUpload.Handle, "Give up an upload"),

        new("CompareAdapters", "POST", "/compatibility", Anyone, CompareAdapters.Handle, "How adapters go together, before they are merged", ReadsOnly: true) { Cost = RequestCost.Expensive },
        new("RequestMerge", "POST", "/merges", Publish, RequestMerge.Handle, "Merge adapters on the kernels"),
        new("PlanMerge", "POST", "/merges/plan", Read, PlanMerge.Handle, "What a merge would do and cost", ReadsOnly: true) { Cost = RequestCost.Expensive },
        new("ListMergeMethods", "GET", "/merge-methods", Anyone, ListMergeMethods.Handle, "Merge methods and their parameters"),
        new("RequestComposition", "POST", "/compositions", Publish, RequestComposition.Handle, "Learn from examples how adapters are combined"),
        new("RequestSubtraction", "POST", "/subtractions", Publish, RequestSubtraction.Handle, "Subtract general knowledge from an adapter"),
        new("RequestSubtractionBatch", "POST", "/subtractions/batch", Publish, RequestSubtractionBatch.Handle, "Subtract general knowledge from many adapters"),
        new("RequestClustering", "POST", "/clusterings", Publish, RequestClustering.Handle, "Cluster a base model's library") { Cost = RequestCost.Expensive },
        new("ListClusterings", "GET", "/clusterings", Anyone, ListClusterings.Handle, "Cluster snapshots of a library, newest first"),
        new("BuildLibrary", "POST", "/clusterings/{id}/build", Publish, BuildLibrary.Handle, "Merge each cluster of a snapshot into one adapter"),
        new("ListCollections", "GET", "/collections", Anyone, ListCollections.Handle, "An account's collections"),
        new("GetCollection", "GET", "/collections/{owner}/{name}", Anyone, GetCollection.Handle, "One collection of versions that were made together"),
        new("DeleteCollection", "DELETE", "/collections/{owner}/{name}", Publish, DeleteCollection.Handle, "Forget a collection; its versions stay"),

        new("FindDiverse", "GET", "/libraries/diverse", Anyone, FindDiverse.Handle, "Adapters that differ from each other and stand for a library") { Cost = RequestCost.Expensive },
        new("RequestRouter", "POST", "/routers", Publish, RequestRouter.Handle, "Compute the prototypes of a set of adapters (Arrow)"),
        new("GetRouter", "GET", "/routers/{id}", Anyone, GetRouter.Handle, "One router"),
        new("DownloadRouterFile", "GET", "/routers/{id}/files/{name}", Anyone, DownloadRouterFile.Handle, "Redirect to a router's prototypes or description"),
        new("RouteTokens", "POST", "/routers/{id}/route", Anyone, RouteTokens.Handle, "Which adapters take which tokens", ReadsOnly: true) { Cost = RequestCost.Expensive },
        new("GetClustering", "GET", "/clusterings/{id}", Anyone, GetClustering.Handle, "One cluster snapshot, with what has arrived since"),
        new("GetClusterMap", "GET", "/clusterings/{id}/map", Anyone, GetClusterMap.Handle, "A snapshot's adapters as points of a plane"),
        new("GetClusterMapSvg", "GET", "/clusterings/{id}/map.svg", Anyone, GetClusterMap.HandleSvg, "The same as a picture"),

        new("PublishEvaluationSet", "POST", "/evaluation-sets", Publish, PublishEvaluationSet.Handle, "Publish a version of an evaluation set") { Cost = RequestCost.Expensive },
        new("ListEvaluationSets", "GET", "/evaluation-sets", Anyone, ListEvaluationSets.Handle, "List evaluation sets"),
        new("GetEvaluationSet", "GET", "/evaluation-sets/{owner}/{name}", Anyone, GetEvaluationSet.Handle, "One evaluation set"),
        new("UpdateEvaluationSet", "PATCH", "/evaluation-sets/{owner}/{name}", Publish, UpdateEvaluationSet.Handle, "Unlist an evaluation set, or list it again"),
        new("DeleteEvaluationSet", "DELETE", "/evaluation-sets/{owner}/{name}", Publish, DeleteEvaluationSet.Handle, "Delete an evaluation set and all results on it"),
        new("ListEvaluationSetVersions", "GET", "/evaluation-sets/{owner}/{name}/versions", Anyone, ListEvaluationSetVersions.Handle, "An evaluation set's versions, newest first"),
        new("DownloadEvaluationSet", "GET", "/evaluation-sets/{owner}/{name}/versions/{revision}/items", Anyone, DownloadEvaluationSet.Handle, "Redirect to the items of a version"),
        new("RequestEvaluation", "POST", "/evaluations", Publish, RequestEvaluation.Handle, "Score adapters on evaluation sets on the kernels"),
        new("GetEvaluation", "GET", "/evaluations/{id}", Anyone, GetEvaluation.Handle, "The result of an evaluation"),
        new("DownloadPredictions", "GET", "/evaluations/{id}/predictions", Anyone, DownloadPredictions.Handle, "Redirect to an evaluation's predictions"),
        new("CompareEvaluations", "POST", "/evaluations/compare", Anyone, CompareEvaluations.Handle, "Hold evaluations of one set against each other", ReadsOnly: true) { Cost = RequestCost.Expensive },
        new("MixEvaluations", "POST", "/evaluations/ensemble", Anyone, MixEvaluations.Handle, "Score mixtures, votes and portfolios of kept predictions", ReadsOnly: true) { Cost = RequestCost.Expensive },
        new("GetLeaderboard", "GET", "/leaderboards", Anyone, GetLeaderboard.Handle, "A base model's evaluations on a set, best first") { Cost = RequestCost.Expensive },

        new("ListJobs", "GET", "/jobs", Read, ListJobs.Handle, "The caller's jobs"),
        new("GetJob", "GET", "/jobs/{id}", Read, GetJob.Handle, "One job"),
        new("WatchJob", "GET", "/jobs/{id}/events", Read, WatchJob.Handle, "A job's progress as server-sent events"),
        new("CancelJob", "POST", "/jobs/{id}/cancel", Publish, CancelJob.Handle, "Ask a job to stop"),

        new("ListFailures", "GET", "/failures", KeyScope.Admin, ListFailures.Handle, "Failed jobs and uploads of all accounts, and the queues"),
        new("RetryJob", "POST", "/jobs/{id}/retry", KeyScope.Admin, RetryJob.Handle, "Start the next attempt at a failed job, or send another message for a waiting one"),
        new("RetryUpload", "POST", "/uploads/{id}/retry", KeyScope.Admin, RetryUpload.Handle, "Validate an upload again that failed as poison"),

        new("ListKeys", "GET", "/keys", Read, ListKeys.Handle, "The caller's keys"),
        new("CreateKey", "POST", "/keys", Read, CreateKey.Handle, "Make a key"),
        new("RevokeKey", "DELETE", "/keys/{id}", Read, RevokeKey.Handle, "Take a key back"),

        new("GetAccount", "GET", "/accounts/{owner}", Read, GetAccount.Handle, "What an account uses, and what it may use"),
        new("SetQuota", "PUT", "/accounts/{owner}/quota", KeyScope.Admin, SetQuota.Handle, "Set what an account may use"),
        new("ListIdentities", "GET", "/accounts/{owner}/identities", KeyScope.Admin, ListIdentities.Handle, "Identities of the tenant that are bound to an account"),
        new("BindIdentity", "PUT", "/accounts/{owner}/identities/{objectId}", KeyScope.Admin, BindIdentity.Handle, "Bind an identity of the tenant to an account"),
        new("UnbindIdentity", "DELETE", "/accounts/{owner}/identities/{objectId}", KeyScope.Admin, UnbindIdentity.Handle, "Take an identity from an account"),

        new("ListAudit", "GET", "/audit", Read, ListAudit.Handle, "What was done: by the caller, or for an admin by everybody"),

        new("ListBaseModels", "GET", "/base-models", Anyone, ListBaseModels.Handle, "Base models and their aliases"),
        new("RegisterBaseModel", "POST", "/base-models", KeyScope.Admin, RegisterBaseModel.Handle, "Begin to send a base model's files"),
        new("GetBaseModelWeights", "GET", "/base-models/{owner}/{name}/weights", Anyone, GetBaseModelWeights.Handle, "A base model's files: manifest, digest, architecture"),
        new("ResolveBaseModel", "GET", "/base-models/resolve", Anyone, ResolveBaseModel.Handle, "What a spelling counts as"),
        new("ConfirmAlias", "POST", "/base-models/aliases", Publish, ConfirmAlias.Handle, "Confirm what a spelling stands for"),
        new("AllocateSubspaces", "POST", "/base-models/subspaces", Publish, AllocateSubspaces.Handle, "Reserve orthogonal input subspaces for training"),
    ];

    /// <summary>The Hub's protocol, for the clients that people already have (docs/hub.md).</summary>
    public static IReadOnlyList<HttpFunction> Hub { get; } =
    [
        new("HubWhoAmI", "GET", "/api/whoami-v2", Read, HubWhoAmI.Handle, "Who the token belongs to") { Hub = true },
        new("HubGetModel", "GET", "/api/models/{owner}/{name}", Anyone, GetModel.Handle, "A repository at main") { Hub = true },
        new("HubGetRevision", "GET", "/api/models/{owner}/{name}/revision/{revision}", Anyone, GetModel.HandleRevision, "A repository at a revision") { Hub = true },
        new("HubListModels", "GET", "/api/models", Anyone, ListModels.Handle, "Lists and searches adapters") { Hub = true, ExpensiveWith = "sort" },
        new("HubListTree", "GET", "/api/models/{owner}/{name}/tree/{revision}/{**path}", Anyone, ListTree.Handle, "Files and folders of a revision") { Hub = true },
        new("HubDescribePaths", "POST", "/api/models/{owner}/{name}/paths-info/{revision}", Anyone, DescribePaths.Handle, "What is at some paths of a revision", ReadsOnly: true) { Hub = true, Cost = RequestCost.Read },
        new("HubListRefs", "GET", "/api/models/{owner}/{name}/refs", Anyone, ListRefs.Handle, "Branch and tags of a repository") { Hub = true },
        new("HubListCommits", "GET", "/api/models/{owner}/{name}/commits/{revision}", Anyone, ListCommits.Handle, "The commits up to a revision") { Hub = true },
        new("HubZUnowned", "GET", "/api/models/{name}/{**path}", Anyone, RefuseUnowned.Handle, "Says that no repository has a name of one part") { Hub = true },
        new("HubResolveFile", "GET", "/{owner}/{name}/resolve/{revision}/{**path}", Anyone, ResolveFile.Handle, "A file of a revision") { Hub = true, AlsoHead = true },
        new("HubResolveRaw", "GET", "/{owner}/{name}/raw/{revision}/{**path}", Anyone, ResolveFile.Handle, "The same under its other name") { Hub = true, AlsoHead = true },
        new("HubResolveUnowned", "GET", "/{name}/resolve/{revision}/{**path}", Anyone, ResolveFile.HandleUnowned, "Says that no repository has a name of one part") { Hub = true, AlsoHead = true },

        new("HubCreateRepository", "POST", "/api/repos/create", Publish, CreateRepository.Handle, "Create a repository") { Hub = true, MaxBody = _ => 8 << 20 },
        new("HubDeleteRepository", "DELETE", "/api/repos/delete", Publish, DeleteRepository.Handle, "Delete a repository") { Hub = true },
        new("HubMoveRepository", "POST", "/api/repos/move", Publish, HubRefusals.Move, "Refused: repositories keep their names") { Hub = true },
        new("HubUpdateSettings", "PUT", "/api/models/{owner}/{name}/settings", Publish, UpdateSettings.Handle, "Make a repository private or public") { Hub = true },
        new("HubCheckAccess", "GET", "/api/models/{owner}/{name}/auth-check", Anyone, CheckAccess.Handle, "Whether the caller may read a repository") { Hub = true },
        new("HubCheckWriteAccess", "GET", "/api/models/{owner}/{name}/auth-check/write", Publish, CheckAccess.HandleWrite, "Whether the caller may write to a repository") { Hub = true },
        new("HubValidateYaml", "POST", "/api/validate-yaml", Anyone, ValidateYaml.Handle, "Check the front matter of a README.md", ReadsOnly: true) { Hub = true, MaxBody = _ => 8 << 20 },
        new("HubPreupload", "POST", "/api/models/{owner}/{name}/preupload/{revision}", Publish, Preupload.Handle, "How files are to be sent", ReadsOnly: true) { Hub = true, MaxBody = _ => 8 << 20 },
        new("HubLfsBatch", "POST", "/{owner}/{name}.git/info/lfs/objects/batch", Publish, LfsBatch.Handle, "Where objects of Git LFS are to be sent") { Hub = true },
        new("HubCommit", "POST", "/api/models/{owner}/{name}/commit/{revision}", Publish, CommitFiles.Handle, "Commit files") { Hub = true, MaxBody = options => options.HubCommitBytes },
        new("HubCreateTag", "POST", "/api/models/{owner}/{name}/tag/{revision}", Publish, HubTags.Create, "Name a version") { Hub = true },
        new("HubDeleteTag", "DELETE", "/api/models/{owner}/{name}/tag/{tag}", Publish, HubTags.Delete, "Forget a version's name") { Hub = true },
        new("HubCreateBranch", "POST", "/api/models/{owner}/{name}/branch/{revision}", Publish, HubRefusals.CreateBranch, "Refused: there is one branch") { Hub = true },
        new("HubDeleteBranch", "DELETE", "/api/models/{owner}/{name}/branch/{revision}", Publish, HubRefusals.DeleteBranch, "Refused: there is one branch") { Hub = true },
        new("HubXetToken", "GET", "/api/models/{owner}/{name}/xet-write-token/{revision}", Anyone, (Func<string, string, string, IResult>)HubRefusals.Xet, "Refused: there is no Xet storage") { Hub = true },
    ];

    /// <summary>Everything behind a route.</summary>
    public static IEnumerable<HttpFunction> Routed => Http.Concat(Hub);

    public static IReadOnlyList<QueueFunction> Queues { get; } =
    [
        new("ValidateAdapter", QueueNames.Validations, ValidateAdapter.Handle),
        new("FailValidation", QueueNames.Poison(QueueNames.Validations), FailValidation.Handle),
        new("RunJob", QueueNames.FunctionsJobs, RunJob.Handle),
        new("FailJob", QueueNames.Poison(QueueNames.FunctionsJobs), FailJob.Handle),
        new("FailKernelJob", QueueNames.Poison(QueueNames.KernelJobs), FailJob.Handle),
    ];

    public static IReadOnlyList<TimerFunction> Timers { get; } =
    [
        new("Sweep", options => options.SweepSchedule, SweepStorage.Handle),
        new("Recluster", options => options.ReclusterSchedule, Recluster.Handle),
        new("RecountUsage", options => options.RecountSchedule, RecountUsage.Handle),
    ];
}

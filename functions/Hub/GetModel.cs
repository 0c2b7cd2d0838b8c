using Marketplace.Functions.Http;

namespace Marketplace.Functions.Hub;

/// <summary>A repository: <c>model_info</c>, <c>repo_exists</c>, and the first question of every <c>snapshot_download</c>.</summary>
public static class GetModel
{
    public static Task<IResult> Handle(string owner, string name, Requester requester, HubRepositories repositories, HttpContext context, CancellationToken cancellationToken) =>
        HandleRevision(owner, name, "main", requester, repositories, context, cancellationToken);

    public static async Task<IResult> HandleRevision(
        string owner, string name, string revision, Requester requester, HubRepositories repositories, HttpContext context, CancellationToken cancellationToken)
    {
        var (repository, problem) = await repositories.FindAsync(requester.Caller, owner, name, cancellationToken);
        if (repository is null)
            return problem!;
        var (found, missing) = await repositories.RevisionAsync(repository, revision, cancellationToken);
        return found is null ? missing! : HubJson.Answer(HubModel.Of(repository, found, HubQuery.Flag(context.Request.Query, "blobs")));
    }
}

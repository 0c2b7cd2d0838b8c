using Marketplace.Functions.Http;

namespace Marketplace.Functions.Hub;

/// <summary>A repository: <c>model_info</c>, <c>repo_exists</c>, and the first question of every <c>snapshot_download</c>. All members are answered, whichever were asked for.</summary>
public static class GetModel
{
    public static Task<IResult> Handle(
        string owner, string name, Requester requester, HubReader reader, HubConfigs configs, HttpContext context, CancellationToken cancellationToken) =>
        HandleRevision(owner, name, "main", requester, reader, configs, context, cancellationToken);

    public static async Task<IResult> HandleRevision(
        string owner, string name, string revision, Requester requester, HubReader reader, HubConfigs configs, HttpContext context, CancellationToken cancellationToken)
    {
        var (repository, found, problem) = await reader.FindAsync(requester.Caller, owner, name, revision, cancellationToken);
        if (found is null)
            return problem!;
        context.Response.Headers["X-Repo-Commit"] = found.Commit;
        var model = HubModel.Of(repository!, found, HubQuery.Flag(context.Request.Query, "blobs"));
        return HubJson.Answer(await configs.ReadAsync(found, cancellationToken) is { } peft ? model with { Config = new HubConfig(peft) } : model);
    }
}

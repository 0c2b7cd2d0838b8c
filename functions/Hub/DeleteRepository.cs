using Marketplace.Functions.Http;
using Marketplace.Functions.Hub.Commits;
using Marketplace.Storage;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hub;

/// <summary>Deletes a repository with everything in it, for its owner or an admin. A DELETE that names it in a body, as the clients send it.</summary>
public static class DeleteRepository
{
    private sealed record Body(string? Name, string? Organization, string? Type);

    public static async Task<IResult> Handle(
        Requester requester, HubRepositories repositories, HubVerdicts verdicts, MarketplaceStorage storage, IOptions<MarketplaceOptions> options, HttpContext context, CancellationToken cancellationToken)
    {
        var body = await HubBody.ReadAsync<Body>(context, cancellationToken);
        var (owner, name) = (body.Organization ?? requester.Owner, body.Name ?? "");
        if (body.Type is not (null or "model"))
            return HubProblems.RepoNotFound($"{owner}/{name}");
        var found = requester.Caller.IsAdmin
            ? await repositories.FindAsync(requester.Caller, owner, name, cancellationToken)
            : await OwnRepository.FindAsync(repositories, requester, owner, name, cancellationToken);
        if (found.Value is not { } repository)
            return found.Problem!;
        AuditScope.About(repository.Id.ToString());
        // What is being checked would come back.
        if (repository.Record?.Pending is { } pending && await verdicts.WaitAsync(pending, options.Value.HubCommitWait, cancellationToken) is null)
            return HubProblems.Conflict($"A commit to '{repository.Id}' is being checked; delete the repository when that is over.");
        if (repository is { Adapter: null, Record: { ForBaseModel: true } record })
            return await DeleteAsync(record, storage, cancellationToken);
        if (await storage.Deletion.DeleteAsync(repository.Id, requester.Owner, cancellationToken) is not DeletionOutcome.Deleted)
            return HubProblems.RepoNotFound(repository.Id.ToString());
        await storage.Usage.ReleaseDraftAsync(repository.Id, cancellationToken);
        return HubJson.Answer(new { });
    }

    // Results on a base model name its registrations for ever; only what was never registered can go.
    private static async Task<IResult> DeleteAsync(RepositoryRecord record, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (await storage.Registrations.NewestAsync(record.Id.ToString(), cancellationToken) is not null)
            return HubProblems.BadRequest($"'{record.Id}' is a registered base model, and those stay.");
        return await storage.Repositories.DeleteAsync(record, cancellationToken) == UpdateResult.Conflict
            ? HubProblems.Conflict($"Something is being committed to '{record.Id}'; try again.")
            : HubJson.Answer(new { });
    }
}

using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>Deletes a repository with everything in it. A DELETE that names it in a body, as the clients send it.</summary>
public static class DeleteRepository
{
    private sealed record Body(string? Name, string? Organization, string? Type);

    public static async Task<IResult> Handle(
        Requester requester, HubRepositories repositories, MarketplaceStorage storage, HttpContext context, CancellationToken cancellationToken)
    {
        var body = await HubBody.ReadAsync<Body>(context, cancellationToken);
        if (body.Type is not (null or "model"))
            return HubProblems.RepoNotFound($"{body.Organization}/{body.Name}");
        var (repository, problem) = await OwnRepository.FindAsync(repositories, requester, body.Organization ?? requester.Owner, body.Name ?? "", cancellationToken);
        if (repository is null)
            return problem!;
        AuditScope.About(repository.Id.ToString());
        if (repository.Adapter is not null)
            return HubProblems.BadRequest($"'{repository.Id}' has versions, which can't be deleted.");
        if (repository.Record is { } record)
        {
            if (await storage.Repositories.DeleteAsync(record, cancellationToken) == UpdateResult.Conflict)
                return HubProblems.Conflict($"Something is being committed to '{repository.Id}'; try again.");
            await storage.Usage.ReleaseDraftAsync(repository.Id, cancellationToken);
        }

        return HubJson.Answer(new { });
    }
}

using System.Text.Json;
using Marketplace.Functions.Http;
using Marketplace.Functions.Hub.Commits;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>Makes a repository private, or public.</summary>
public static class UpdateSettings
{
    private sealed record Body(string? Visibility, bool? Private, JsonElement? Gated);

    public static async Task<IResult> Handle(
        string owner, string name, Requester requester, HubRepositories repositories, HubVerdicts verdicts, MarketplaceStorage storage, HttpContext context, CancellationToken cancellationToken)
    {
        var body = await HubBody.ReadAsync<Body>(context, cancellationToken);
        var (repository, problem) = await OwnRepository.FindAsync(repositories, requester, owner, name, cancellationToken);
        if (repository is null)
            return problem!;
        if (body.Gated is { ValueKind: not (JsonValueKind.False or JsonValueKind.Null) })
            return HubProblems.BadRequest("This registry has no gated repositories; make it private instead.");
        if (body.Visibility is not (null or "public" or "private"))
            return HubProblems.BadRequest($"The visibility is 'public' or 'private', not '{body.Visibility}'.");
        if (body.Private is null && body.Visibility is null)
        {
            AuditScope.NothingDone();
            return HubJson.Answer(new { @private = repository.Private });
        }

        var isPrivate = body.Private ?? body.Visibility == "private";
        if (isPrivate && repository.Record is { ForBaseModel: true })
            return HubProblems.BadRequest("Base models are public.");
        // The first version takes its privacy from the commit that is being checked.
        if (repository is { Adapter: null, Record.Pending: { } pending } && await verdicts.WaitAsync(pending, TimeSpan.Zero, cancellationToken) is null)
            return HubProblems.Conflict("A commit is being checked; try again.");
        if (repository.Record is { } record && record.Private != isPrivate && await storage.Repositories.UpdateAsync(record with { Private = isPrivate }, cancellationToken) == UpdateResult.Conflict)
            return HubProblems.Conflict($"Something is being committed to '{repository.Id}'; try again.");
        if (await storage.Catalogue.SetVisibilityAsync(repository.Id, isPrivate, ct: cancellationToken) is null && repository.Record is null)
            return HubProblems.RepoNotFound(repository.Id.ToString());
        AuditScope.About(repository.Id.ToString(), isPrivate ? "private" : "public");
        return HubJson.Answer(new { @private = isPrivate });
    }
}

using Marketplace.Functions.Http;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>Names of versions. Only a version can have one: what is committed and is no adapter yet can't be released.</summary>
public static class HubTags
{
    private sealed record Body(string? Tag, string? Message);

    public static async Task<IResult> Create(
        string owner, string name, string revision, Requester requester, HubRepositories repositories, MarketplaceStorage storage, HttpContext context, CancellationToken cancellationToken)
    {
        var body = await HubBody.ReadAsync<Body>(context, cancellationToken);
        var (repository, problem) = await OwnRepository.FindAsync(repositories, requester, owner, name, cancellationToken);
        if (repository is null)
            return problem!;
        if (body.Tag is not { } tag || !TagStore.IsValid(tag))
            return HubProblems.BadRequest($"'{body.Tag}' is no tag: 1 to 100 letters, digits, '.', '_' or '-', and nothing that names a version already, such as a number.");
        var (found, missing) = await repositories.RevisionAsync(repository, revision, cancellationToken);
        if (found is null)
            return missing!;
        if (found.Version is not { } version)
            return HubProblems.BadRequest($"'{revision}' of '{repository.Id}' is no adapter yet; only versions can be tagged.");
        AuditScope.About($"{repository.Id}#{tag}", $"version {version.Number}");
        return await storage.Tags.AddAsync(repository.Id, tag, version.Number, cancellationToken) == AddResult.Added
            ? HubJson.Answer(new { })
            : HubProblems.Conflict($"'{repository.Id}' has a tag '{tag}'; delete it first to move it.");
    }

    public static async Task<IResult> Delete(
        string owner, string name, string tag, Requester requester, HubRepositories repositories, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (repository, problem) = await OwnRepository.FindAsync(repositories, requester, owner, name, cancellationToken);
        if (repository is null)
            return problem!;
        return await storage.Tags.DeleteAsync(repository.Id, tag, cancellationToken) ? HubJson.Answer(new { }) : HubProblems.RevisionNotFound(repository.Id.ToString(), tag);
    }
}

using Marketplace.Functions.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Hub;

/// <summary>Finds a repository for who may write to it: its owner; an admin where it is to become a base model.</summary>
internal static class OwnRepository
{
    /// <summary>The repository, or a refusal: what is private to somebody else does not exist, what is public belongs to somebody else.</summary>
    public static async Task<Found<HubRepository>> FindAsync(HubRepositories repositories, Requester requester, string owner, string name, CancellationToken cancellationToken)
    {
        var found = await repositories.FindAsync(requester.Caller, owner, name, cancellationToken);
        return found.Value is { } repository && Refusal(repository, requester) is { } refusal ? refusal : found;
    }

    private static ProblemHttpResult? Refusal(HubRepository repository, Requester requester)
    {
        if (repository is { Adapter: null, Record.ForBaseModel: true })
            return requester.Caller.IsAdmin ? null : HubProblems.Forbidden($"'{repository.Id}' is to become a base model; an admin of this registry commits those.");
        return requester.Owns(repository.Id) ? null : HubProblems.Forbidden($"'{repository.Id}' belongs to another account.");
    }
}

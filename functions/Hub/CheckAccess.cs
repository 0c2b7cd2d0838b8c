using Marketplace.Functions.Http;

namespace Marketplace.Functions.Hub;

/// <summary>Whether the caller may read a repository, or write to it: <c>auth_check</c>.</summary>
public static class CheckAccess
{
    public static async Task<IResult> Handle(string owner, string name, Requester requester, HubRepositories repositories, CancellationToken cancellationToken) =>
        (await repositories.FindAsync(requester.Caller, owner, name, cancellationToken)).Problem ?? HubJson.Answer(new { });

    public static async Task<IResult> HandleWrite(string owner, string name, Requester requester, HubRepositories repositories, CancellationToken cancellationToken) =>
        (await OwnRepository.FindAsync(repositories, requester, owner, name, cancellationToken)).Problem ?? HubJson.Answer(new { });
}

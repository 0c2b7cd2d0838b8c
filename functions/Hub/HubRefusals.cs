using Marketplace.Functions.Http;

namespace Marketplace.Functions.Hub;

/// <summary>What the Hub has and this registry has not, said so that people know what to do instead.</summary>
public static class HubRefusals
{
    /// <summary>Names are for ever: lineage, merges and other people's scripts use them.</summary>
    public static IResult Move() =>
        HubProblems.BadRequest("Repositories of this registry keep their names; publish under the new name, and delete the old one.");

    /// <summary>There is only <c>main</c>.</summary>
    public static async Task<IResult> CreateBranch(string owner, string name, string revision, Requester requester, HubRepositories repositories, CancellationToken cancellationToken)
    {
        var (repository, problem) = await OwnRepository.FindAsync(repositories, requester, owner, name, cancellationToken);
        return repository is null ? problem! : HubRepositories.IsMain(revision)
            ? HubProblems.Conflict("There is a branch 'main' already.")
            : HubProblems.BadRequest("This registry has one branch, 'main', whose commits are versions; tag a version to give it a name.");
    }

    /// <summary>There is only <c>main</c>.</summary>
    public static async Task<IResult> DeleteBranch(string owner, string name, string revision, Requester requester, HubRepositories repositories, CancellationToken cancellationToken)
    {
        var (repository, problem) = await OwnRepository.FindAsync(repositories, requester, owner, name, cancellationToken);
        return repository is null ? problem! : HubRepositories.IsMain(revision)
            ? HubProblems.BadRequest("The branch 'main' can't be deleted; delete the repository instead.")
            : HubProblems.RevisionNotFound(repository.Id.ToString(), revision);
    }

    /// <summary>Tells clients that have Xet what to do without it. The same for every name, so that it says nothing of any.</summary>
    public static IResult Xet(string owner, string name, string revision) => HubProblems.Unsupported("This registry has no Xet storage; set HF_HUB_DISABLE_XET=1");
}

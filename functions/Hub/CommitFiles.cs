using Marketplace.Functions.Http;
using Marketplace.Functions.Hub.Commits;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hub;

/// <summary>Commits files to a repository. The body is read as it arrives, whatever its size.</summary>
public static class CommitFiles
{
    public static async Task<IResult> Handle(
        string owner, string name, string revision, Requester requester, HubRepositories repositories, HubCommits commits, HubAddress address, IOptions<MarketplaceOptions> options, HttpContext context,
        CancellationToken cancellationToken)
    {
        var (repository, problem) = await OwnRepository.FindAsync(repositories, requester, owner, name, cancellationToken);
        if (repository is null)
            return problem!;
        if (HubBody.PullRequest(context) is { } refused)
            return refused;
        if (!HubRepositories.IsMain(revision))
            return HubProblems.RevisionNotFound(repository.Id.ToString(), revision, "This registry has one branch, 'main'; commit to that.");

        using var folder = new ScratchFolder();
        var (commit, invalid) = await CommitReader.ReadAsync(context.Request.Body, folder.Path, options.Value.HubInlineBytes, cancellationToken);
        if (commit is null)
        {
            // Clients that are cut off while they send don't read why.
            await context.Request.Body.CopyToAsync(Stream.Null, cancellationToken);
            return invalid!;
        }

        var (done, failed) = await commits.CommitAsync(requester, repository.Id, commit, folder.Path, cancellationToken);
        if (done is null)
            return failed!;
        AuditScope.About(repository.Id.ToString(), done.Commit);
        if (done.Unchanged)
            AuditScope.NothingDone();
        return HubJson.Answer(new { success = true, commitOid = done.Commit, commitUrl = $"{address.Of(context.Request)}/{repository.Id}/commit/{done.Commit}", hookOutput = done.Note });
    }
}

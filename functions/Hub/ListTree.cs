using Marketplace.Functions.Http;

namespace Marketplace.Functions.Hub;

/// <summary>Files and folders of a revision, of one folder or below it; every <c>snapshot_download</c> of today's clients asks for them, and loaders of tokenizers do.</summary>
public static class ListTree
{
    private const int MaxLimit = 1000;

    public static async Task<IResult> Handle(
        string owner, string name, string revision, string? path, Requester requester, HubReader reader, HubHistory history, HubAddress address, HttpContext context, CancellationToken cancellationToken)
    {
        var (repository, problem) = await reader.FindAsync(requester.Caller, owner, name, cancellationToken);
        if (repository is null)
            return problem!.StatusCode == StatusCodes.Status404NotFound ? HubProblems.NothingToList($"{owner}/{name}") : problem;
        var (found, missing) = await reader.RevisionAsync(repository, revision, cancellationToken);
        if (found is null)
            return missing!;
        context.Response.Headers["X-Repo-Commit"] = found.Commit;

        var query = context.Request.Query;
        var folder = HubQuery.Path(path).TrimEnd('/');
        var all = HubTree.Of(found);
        if (folder.Length > 0 && !all.Exists(e => !e.IsFile && e.Path == folder))
            return HubProblems.EntryNotFound(folder, $"There is no folder '{folder}' in this revision.");
        var prefix = folder.Length == 0 ? "" : folder + "/";
        var entries = all.Where(e => e.Path.StartsWith(prefix, StringComparison.Ordinal) && (HubQuery.Flag(query, "recursive") || !e.Path[prefix.Length..].Contains('/')));
        if (query[HubLinks.Cursor] is [{ } cursor])
        {
            if (HubLinks.Decode(cursor) is not { } after)
                return HubProblems.BadRequest("The cursor is not one that this service gave.");
            entries = entries.Where(e => string.CompareOrdinal(e.Path, after) > 0);
        }

        var limit = HubQuery.Limit(query, MaxLimit, MaxLimit);
        var page = entries.Take(limit + 1).ToList();
        if (page.Count > limit)
        {
            page.RemoveAt(limit);
            HubLinks.SetNext(context, address, HubLinks.Encode(page[^1].Path));
        }

        if (HubQuery.Flag(query, "expand"))
        {
            var last = await history.LastAsync(repository, found, cancellationToken);
            page = page.ConvertAll(e => e with { LastCommit = last[e.Path] });
        }

        return HubJson.Answer(page);
    }
}

using System.Globalization;
using Marketplace.Functions.Http;

namespace Marketplace.Functions.Hub;

/// <summary>The commits up to a revision, newest first.</summary>
public static class ListCommits
{
    private const int MaxLimit = 1000;
    private const int DefaultLimit = 50;

    public static async Task<IResult> Handle(
        string owner, string name, string revision, Requester requester, HubReader reader, HubHistory history, HubAddress address, HttpContext context, CancellationToken cancellationToken)
    {
        var (repository, found, problem) = await reader.FindAsync(requester.Caller, owner, name, revision, cancellationToken);
        if (found is null)
            return problem!;
        var query = context.Request.Query;
        var commits = (await history.ListAsync(repository!, found, cancellationToken)).Select(c => c.Commit).ToList();
        var from = 0;
        if (query[HubLinks.Cursor] is [{ } cursor])
        {
            // The next page begins after a commit, wherever that is by now.
            from = commits.FindIndex(c => c.Id == cursor) + 1;
            if (from == 0)
                return HubProblems.BadRequest("The cursor is not one that this service gave.");
        }

        var limit = HubQuery.Limit(query, DefaultLimit, MaxLimit);
        var page = commits.Skip(from).Take(limit).ToList();
        if (from + page.Count < commits.Count)
            HubLinks.SetNext(context, address, page[^1].Id);
        context.Response.Headers["X-Total-Count"] = commits.Count.ToString(CultureInfo.InvariantCulture);
        return HubJson.Answer(page);
    }
}

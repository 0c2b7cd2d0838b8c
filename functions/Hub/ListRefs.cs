using Marketplace.Functions.Http;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>The one branch that there is, and the tags.</summary>
public static class ListRefs
{
    private sealed record Reference(string Name, string Ref, string TargetCommit);

    private sealed record References(IReadOnlyList<Reference> Branches, IReadOnlyList<Reference> Converts, IReadOnlyList<Reference> Tags, IReadOnlyList<Reference>? PullRequests);

    public static async Task<IResult> Handle(
        string owner, string name, Requester requester, HubReader reader, MarketplaceStorage storage, HttpContext context, CancellationToken cancellationToken)
    {
        var (repository, head, problem) = await reader.FindAsync(requester.Caller, owner, name, "main", cancellationToken);
        if (head is null)
            return problem!;
        var tags = new List<Reference>();
        if (repository!.Adapter is { } adapter && await storage.Tags.ListAsync(adapter.Id, cancellationToken) is { Count: > 0 } named)
        {
            var versions = (await storage.Versions.ListAsync(adapter.Id, cancellationToken)).ToDictionary(v => v.Number, v => v.Id);
            tags.AddRange(named.Where(t => adapter.Has(t.Value) && versions.ContainsKey(t.Value)).Select(t => new Reference(t.Key, $"refs/tags/{t.Key}", versions[t.Value])));
        }

        return HubJson.Answer(new References(
            [new("main", "refs/heads/main", head.Commit)], [], tags, HubQuery.Flag(context.Request.Query, "include_prs") || HubQuery.Flag(context.Request.Query, "include_pull_requests") ? [] : null));
    }
}

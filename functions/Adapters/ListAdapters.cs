using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>Lists and searches the adapters that the caller may see.</summary>
public static class ListAdapters
{
    private const int MaxLimit = 200;
    private const int MaxTags = 16;
    private const int MaxTag = 300;

    public static async Task<Results<Ok<ListResponse<AdapterView>>, ProblemHttpResult>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken,
        string? owner = null, string? baseModel = null, string? q = null, string[]? tag = null,
        string? unlisted = null, string? takenDown = null, string? limit = null, string? continuation = null)
    {
        if (Paging.ParseLimit(limit, MaxLimit) is not { } count)
            return Paging.BadLimit(MaxLimit);
        if (owner is not null && !AdapterId.IsValidOwner(owner))
            return Problems.InvalidRequest("owner", $"'{owner}' is not the name of an account.");
        if (tag is { Length: > MaxTags } || tag?.Any(t => t.Length > MaxTag) == true)
            return Problems.InvalidRequest("tag", $"At most {MaxTags} tags of {MaxTag} characters are looked for.");
        if (unlisted is not (null or "true" or "false"))
            return Problems.InvalidRequest("unlisted", "unlisted is true or false.");
        if (takenDown is not (null or "true" or "false"))
            return Problems.InvalidRequest("takenDown", "takenDown is true or false.");

        var query = new AdapterQuery
        {
            Caller = requester.Caller,
            Owner = owner,
            BaseModel = baseModel,
            Text = q,
            Tags = [.. tag ?? []],
            IncludeUnlisted = unlisted == "true",
            IncludeTakenDown = takenDown == "true",
            After = continuation,
            Limit = count,
        };
        if (await storage.Adapters.ListAsync(query, cancellationToken) is not { } page)
            return Problems.InvalidRequest("continuation", "The continuation is not one that this service gave.");
        var views = new List<AdapterView>();
        foreach (var adapter in page.Items)
            views.Add(adapter.View(takedown: adapter.Takedown is null ? null : await TakedownViews.PublicAsync(adapter, storage, requester.Caller, cancellationToken)));
        return TypedResults.Ok(new ListResponse<AdapterView>(views, page.Continuation));
    }
}

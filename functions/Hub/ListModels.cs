using System.Collections.Immutable;
using System.Globalization;
using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>
/// Lists and searches adapters. Without an order they come by name, page after page of the table. In an order by time all that match are looked at, of which the best of the page are kept. What nothing is known of here
/// (downloads, likes, inference providers) orders nothing and finds nothing.
/// </summary>
public static class ListModels
{
    private const int MaxLimit = 500;
    private const int DefaultLimit = 100;
    private const int MaxPages = 20;

    private static readonly string[] Unsupported = ["apps", "inference", "inference_provider", "num_parameters", "trained_dataset", "gated"];

    public static async Task<IResult> Handle(Requester requester, MarketplaceStorage storage, HubVersions versions, HubAddress address, HttpContext context, CancellationToken cancellationToken)
    {
        var query = context.Request.Query;
        if (Unsupported.Any(name => query[name].Any(v => v is { Length: > 0 } && !(name == "gated" && v.Equals("false", StringComparison.OrdinalIgnoreCase)))))
            return HubJson.Answer(Array.Empty<HubModel>());
        if (query["author"] is [{ Length: > 0 } author] && !AdapterId.IsValidOwner(author))
            return HubJson.Answer(Array.Empty<HubModel>());
        var (limit, words) = (HubQuery.Limit(query, DefaultLimit, MaxLimit), query["search"].OfType<string>().Where(w => w.Length > 0).ToList());
        var asked = new AdapterQuery
        {
            Caller = requester.Caller,
            Owner = query["author"] is [{ Length: > 0 } of] ? of : null,
            Text = words.Count == 0 ? null : string.Join(' ', words),
            // Python sends one filter for each, older clients several in one.
            Tags = [.. query["filter"].Concat(query["pipeline_tag"]).OfType<string>().SelectMany(f => f.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))],
        };
        bool Matches(AdapterRecord adapter) => adapter.Main is not null && words.TrueForAll(w => adapter.Id.ToString().Contains(w, StringComparison.OrdinalIgnoreCase));

        var cursor = query[HubLinks.Cursor] is [{ } text] ? text : null;
        var (page, next) = query["sort"] is ["createdAt" or "created_at" or "lastModified" or "last_modified"]
            ? await SortedAsync(storage, asked, Matches, new Order(query["sort"].ToString()[0] == 'c', query["direction"].ToString() != "1"), limit, cursor, cancellationToken)
            : await ByNameAsync(storage, asked, Matches, limit, cursor, cancellationToken);
        if (page is null)
            return HubProblems.BadRequest("The cursor is not one that this service gave.");
        if (next is not null)
            HubLinks.SetNext(context, address, next);
        return HubJson.Answer(await ModelsAsync(page, versions, query, cancellationToken));
    }

    private static async Task<IReadOnlyList<HubModel>> ModelsAsync(IReadOnlyList<AdapterRecord> page, HubVersions versions, IQueryCollection query, CancellationToken cancellationToken)
    {
        var models = new HubModel[page.Count];
        var (full, expand) = (HubQuery.Flag(query, "full"), HubQuery.Expand(query));
        await Parallel.ForAsync(0, models.Length, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = cancellationToken }, async (i, stop) =>
        {
            var adapter = page[i];
            var model = HubModel.Of(adapter, adapter.Main!.Id);
            if ((full || expand.Contains("siblings")) && await versions.GetAsync(adapter, adapter.Main, stop) is { } revision)
                model = model with { Siblings = [.. revision.Files.Select(f => HubSibling.Of(f, false))] };
            models[i] = full || HubQuery.Flag(query, "cardData") || expand.Contains("cardData") ? model : model with { CardData = null };
        });
        return models;
    }

    private static async Task<(IReadOnlyList<AdapterRecord>? Page, string? Next)> ByNameAsync(
        MarketplaceStorage storage, AdapterQuery query, Predicate<AdapterRecord> matches, int limit, string? cursor, CancellationToken cancellationToken)
    {
        var page = new List<AdapterRecord>();
        for (var pages = 0; pages < MaxPages && page.Count < limit; pages++)
        {
            if (await storage.Adapters.ListAsync(query with { After = cursor, Limit = limit - page.Count }, cancellationToken) is not { } part)
                return (null, null);
            page.AddRange(part.Items.Where(a => matches(a)));
            cursor = part.Continuation;
            if (cursor is null)
                break;
        }

        // A search that finds little ends its page early, and goes on at the next.
        return (page, cursor);
    }

    private static async Task<(IReadOnlyList<AdapterRecord>? Page, string? Next)> SortedAsync(
        MarketplaceStorage storage, AdapterQuery query, Predicate<AdapterRecord> matches, Order order, int limit, string? cursor, CancellationToken cancellationToken)
    {
        AdapterRecord? after = null;
        if (cursor is not null && (after = Order.Decode(cursor)) is null)
            return (null, null);
        // The worst of those kept is on top: one more than a page, to know whether another follows.
        var kept = new PriorityQueue<AdapterRecord, AdapterRecord>(Comparer<AdapterRecord>.Create((a, b) => order.Compare(b, a)));
        string? continuation = null;
        do
        {
            if (await storage.Adapters.ListAsync(query with { After = continuation, Limit = AdapterStore.MaxScanned }, cancellationToken) is not { } part)
                return (null, null);
            foreach (var adapter in part.Items.Where(a => matches(a) && (after is null || order.Compare(a, after) > 0)))
            {
                kept.Enqueue(adapter, adapter);
                if (kept.Count > limit + 1)
                    kept.Dequeue();
            }

            continuation = part.Continuation;
        }
        while (continuation is not null);

        var more = kept.Count > limit;
        if (more)
            kept.Dequeue();
        var page = kept.UnorderedItems.Select(i => i.Element).Order(order).ToList();
        return (page, more ? order.Encode(page[^1]) : null);
    }

    /// <summary>By a time, and where that is the same by name.</summary>
    private sealed class Order(bool created, bool descending) : IComparer<AdapterRecord>
    {
        public int Compare(AdapterRecord? x, AdapterRecord? y)
        {
            var byTime = Time(x!).CompareTo(Time(y!));
            return byTime == 0 ? string.CompareOrdinal(Name(x!), Name(y!)) : descending ? -byTime : byTime;
        }

        public string Encode(AdapterRecord last) => HubLinks.Encode(string.Create(CultureInfo.InvariantCulture, $"{Time(last).UtcTicks} {last.Id}"));

        /// <summary>Something that compares as the adapter did that was encoded.</summary>
        public static AdapterRecord? Decode(string cursor) =>
            HubLinks.Decode(cursor)?.Split(' ') is [var ticks, var name] && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var at)
            && at <= DateTimeOffset.MaxValue.UtcTicks && AdapterId.TryParse(name, out var id)
                ? new AdapterRecord(id, false, true, "", null, null, new DateTimeOffset(at, TimeSpan.Zero), new DateTimeOffset(at, TimeSpan.Zero), null, default) : null;

        private DateTimeOffset Time(AdapterRecord adapter) => created ? adapter.CreatedAt : adapter.UpdatedAt;

        private static string Name(AdapterRecord adapter) => adapter.Id.ToString().ToLowerInvariant();
    }
}

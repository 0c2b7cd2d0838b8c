using System.Globalization;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Audit;

/// <summary>What was done, newest first: an account sees what it did itself, an admin what everybody did.</summary>
public static class ListAudit
{
    private const int MaxLimit = 200;
    private static readonly TimeSpan Usual = TimeSpan.FromDays(7);

    public static async Task<Results<Ok<ListResponse<AuditEventView>>, ProblemHttpResult>> Handle(
        Requester requester, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken,
        string? from = null, string? to = null, string? actor = null, string? subject = null, string? action = null, string? limit = null, string? continuation = null)
    {
        if (Paging.ParseLimit(limit, MaxLimit) is not { } count)
            return Paging.BadLimit(MaxLimit);
        if (!TryParse(to, time.GetUtcNow() + TimeSpan.FromTicks(1), out var end))
            return Problems.InvalidRequest("to", "A time is like 2026-01-31 or 2026-01-31T12:00:00Z.");
        if (!TryParse(from, end - Usual, out var start))
            return Problems.InvalidRequest("from", "A time is like 2026-01-31 or 2026-01-31T12:00:00Z.");
        if (!requester.Caller.IsAdmin && actor is not null && !requester.Owns(actor))
            return Problems.Forbidden("Only an admin sees what others did.");

        var query = new AuditQuery
        {
            From = start,
            To = end,
            Actor = requester.Caller.IsAdmin ? actor : requester.Owner,
            Subject = subject,
            Action = action,
            After = continuation,
            Limit = count,
        };
        return await storage.Audit.ListAsync(query, cancellationToken) is { } page
            ? TypedResults.Ok(new ListResponse<AuditEventView>([.. page.Items.Select(e => new AuditEventView(e.At, e.Actor, e.Via, e.Action, e.Subject, e.Detail))], page.Continuation))
            : Problems.InvalidRequest("continuation", "The continuation is not one that this service gave.");
    }

    private static bool TryParse(string? text, DateTimeOffset usual, out DateTimeOffset time)
    {
        time = usual;
        return text is null || DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
    }
}

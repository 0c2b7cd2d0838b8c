using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using OpenTelemetry;

namespace Marketplace.Functions.Jobs;

/// <summary>
/// A job's progress as server-sent events. An event holds the whole state, so that a client which comes back with
/// <c>Last-Event-ID</c> has missed nothing that still matters.
/// </summary>
public static class WatchJob
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    public static async Task<Results<ServerSentEventsResult<JobView>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, IOptions<MarketplaceOptions> options, TimeProvider time,
        HttpContext context, CancellationToken cancellationToken)
    {
        var (job, problem) = await OwnJob.FindAsync(storage, requester, id, cancellationToken);
        if (job is null)
            return problem!;
        var last = -1L;
        if (context.Request.Headers["Last-Event-ID"] is [{ Length: > 0 } text] && !long.TryParse(text, out last))
            return Problems.InvalidRequest("Last-Event-ID", "Last-Event-ID is the id of an event of this stream.");
        return TypedResults.ServerSentEvents(Events(job, last, storage, time.GetUtcNow() + options.Value.EventStreamLifetime, time, cancellationToken));
    }

    private static async IAsyncEnumerable<SseItem<JobView>> Events(
        JobRecord job, long last, MarketplaceStorage storage, DateTimeOffset end, TimeProvider time,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            if (job.Sequence > last)
            {
                last = job.Sequence;
                yield return new SseItem<JobView>(job.View(), "job") { EventId = last.ToString(), ReconnectionInterval = TimeSpan.FromSeconds(1) };
            }

            if (job.Status is JobStatus.Succeeded or JobStatus.Failed or JobStatus.Cancelled || time.GetUtcNow() >= end)
                yield break;
            await Task.Delay(Interval, time, cancellationToken);
            if (await LookAsync(job.Id, storage, cancellationToken) is not { } next)
                yield break;
            job = next;
        }
    }

    private static async Task<JobRecord?> LookAsync(string id, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        // Four times a second for minutes: the request's trace does without.
        using var silent = SuppressInstrumentationScope.Begin();
        return await storage.Jobs.GetAsync(id, cancellationToken);
    }
}

using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Client;

/// <summary>Follows a job by server-sent events, and picks the stream up again where it was cut.</summary>
internal static class JobWatch
{
    private const int MaxFailures = 8;

    /// <summary>Every state of the job that the service reports, up to and including the last.</summary>
    public static async IAsyncEnumerable<JobView> Watch(this MarketplaceClient client, string jobId, [EnumeratorCancellation] CancellationToken ct)
    {
        string? lastEventId = null;
        var failures = 0;
        while (true)
        {
            await using var events = Read(client, jobId, lastEventId, ct).GetAsyncEnumerator(ct);
            while (true)
            {
                try
                {
                    if (!await events.MoveNextAsync())
                        break;
                }
                catch (Exception e) when (IsInterruption(e) && ++failures < MaxFailures)
                {
                    break;
                }

                failures = 0;
                var (id, job) = events.Current;
                lastEventId = id ?? lastEventId;
                yield return job;
                if (IsOver(job))
                    yield break;
            }

            // The service ends a stream after a while; a cut connection is given longer each time.
            await Task.Delay(TimeSpan.FromMilliseconds(100 << failures), ct);
        }
    }

    /// <summary>Waits for the end.</summary>
    public static async Task<JobView> WaitForJob(this MarketplaceClient client, JobView job, Action<JobView>? report, CancellationToken ct)
    {
        if (IsOver(job))
            return job;
        await foreach (var state in client.Watch(job.JobId, ct))
        {
            report?.Invoke(state);
            job = state;
        }

        return job;
    }

    /// <summary>Whether nothing more will happen to this attempt.</summary>
    public static bool IsOver(JobView job) => job.Status is "succeeded" or "failed" or "cancelled";

    private static bool IsInterruption(Exception e) => e is HttpRequestException or IOException or ApiException { IsTransient: true };

    private static async IAsyncEnumerable<(string? Id, JobView Job)> Read(
        MarketplaceClient client, string jobId, string? lastEventId, [EnumeratorCancellation] CancellationToken ct)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"jobs/{Uri.EscapeDataString(jobId)}/events");
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (lastEventId is not null)
            request.Headers.Add("Last-Event-ID", lastEventId);
        using var response = await client.Connection.SendRaw(request, HttpCompletionOption.ResponseHeadersRead, ct);
        await using var stream = await response.Content.ReadAsStreamAsync(ct);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(ct))
        {
            if (item.EventType == "job" && ApiConnection.Parse<JobView>(item.Data) is { } job)
                yield return (item.EventId, job);
        }
    }
}

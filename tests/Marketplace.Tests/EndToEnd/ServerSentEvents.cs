using System.Net.ServerSentEvents;
using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Reads a job's event stream as a browser would.</summary>
internal static class ServerSentEvents
{
    /// <summary>All events until the stream ends, or as many as asked for.</summary>
    public static async Task<List<(long Id, JobView Job)>> EventsAsync(this StackApi caller, string jobId, long? lastEventId = null, int count = int.MaxValue)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/jobs/{jobId}/events");
        if (lastEventId is { } last)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", last.ToString());
        using var response = await caller.OpenAsync(request);
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);

        var events = new List<(long, JobView)>();
        await using var stream = await response.Content.ReadAsStreamAsync();
        await foreach (var item in SseParser.Create(stream).EnumerateAsync())
        {
            Assert.Equal("job", item.EventType);
            events.Add((long.Parse(item.EventId!), JsonSerializer.Deserialize<JobView>(item.Data, ApiJson.Options)!));
            if (events.Count == count)
                break;
        }

        return events;
    }
}

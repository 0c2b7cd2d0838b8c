using System.Collections.Concurrent;
using System.IO.Compression;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Marketplace.Tests.Telemetry;

internal sealed record SeenSpan(string Service, string Trace, string Id, string Parent, string Name, int Kind, string Scope, Dictionary<string, string> Attributes);

internal sealed record SeenPoint(string Service, string Metric, string Unit, Dictionary<string, string> Attributes);

internal sealed record SeenLog(string Service, string Trace, string Severity, string Body, Dictionary<string, string> Attributes);

/// <summary>What receives telemetry in a deployment, on loopback: OTLP over HTTP, and the endpoint that the exporter for Azure Monitor sends to.</summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly WebApplication app;

    private OtlpCollector(WebApplication app) => this.app = app;

    public ConcurrentQueue<SeenSpan> Spans { get; } = new();

    public ConcurrentQueue<SeenPoint> Points { get; } = new();

    public ConcurrentQueue<SeenLog> Logs { get; } = new();

    /// <summary>Every body as it came, a byte for a character.</summary>
    public ConcurrentQueue<string> Bodies { get; } = new();

    /// <summary>What the exporter for Azure Monitor sent: lines of JSON.</summary>
    public ConcurrentQueue<string> Tracked { get; } = new();

    private string Address => app.Urls.First();

    /// <summary>What makes a process send here, soon.</summary>
    public Dictionary<string, string> Environment => new()
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Address,
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
        ["OTEL_BLRP_SCHEDULE_DELAY"] = "200",
        ["OTEL_METRIC_EXPORT_INTERVAL"] = "500",
        ["APPLICATIONINSIGHTS_CONNECTION_STRING"] = $"InstrumentationKey=5eed5eed-0000-4000-8000-000000000001;IngestionEndpoint={Address}/",
        ["APPLICATIONINSIGHTS_STATSBEAT_DISABLED"] = "true",
    };

    public static async Task<OtlpCollector> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var collector = new OtlpCollector(builder.Build());
        collector.app.MapPost("/{**path}", async (HttpContext context, string path) =>
        {
            var body = await ReadAsync(context.Request);
            collector.Bodies.Enqueue(Encoding.Latin1.GetString(body));
            if (path.EndsWith("track", StringComparison.Ordinal))
            {
                collector.Tracked.Enqueue(Encoding.UTF8.GetString(body));
                var items = collector.Tracked.Last().Count(c => c == '\n') + 1;
                return Results.Json(new { itemsReceived = items, itemsAccepted = items, errors = Array.Empty<object>() });
            }

            collector.Take(path, new ProtobufReader(body));
            return Results.Bytes([], "application/x-protobuf");
        });
        await collector.app.StartAsync();
        return collector;
    }

    /// <summary>Ends when what was awaited has arrived: exporters send in batches.</summary>
    public static async Task UntilAsync(Func<bool> arrived, Func<string> describe)
    {
        for (var deadline = DateTime.UtcNow + Patience; !arrived(); await Task.Delay(50))
            Assert.True(DateTime.UtcNow < deadline, describe());
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }

    private static async Task<byte[]> ReadAsync(HttpRequest request)
    {
        using var bytes = new MemoryStream();
        await using var body = request.Headers.ContentEncoding == "gzip" ? new GZipStream(request.Body, CompressionMode.Decompress) : request.Body;
        await body.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    private void Take(string path, ProtobufReader request)
    {
        foreach (var resource in request.Messages(1))
        {
            var service = resource.Messages(1).Single().Attributes(1)["service.name"];
            foreach (var scope in resource.Messages(2))
            {
                var name = scope.Messages(1).FirstOrDefault()?.Text(1) ?? "";
                foreach (var item in scope.Messages(2))
                    Take(path, service, name, item);
            }
        }
    }

    private void Take(string path, string service, string scope, ProtobufReader item)
    {
        switch (path)
        {
            case "v1/traces":
                Spans.Enqueue(new(service, item.Hex(1), item.Hex(2), item.Hex(4), item.Text(5), (int)item.Number(6), scope, item.Attributes(9)));
                break;
            case "v1/metrics":
                // Gauges, sums and histograms; the attributes of the last have another number.
                foreach (var (kind, attributes) in new[] { (5, 7), (7, 7), (9, 9) })
                {
                    foreach (var point in item.Messages(kind).SelectMany(m => m.Messages(1)))
                        Points.Enqueue(new(service, item.Text(1), item.Text(3), point.Attributes(attributes)));
                }

                break;
            case "v1/logs":
                Logs.Enqueue(new(service, item.Hex(9), item.Text(3), item.Messages(5).Select(ProtobufReader.Value).FirstOrDefault() ?? "", item.Attributes(6)));
                break;
            default:
                throw new InvalidDataException(path);
        }
    }
}

using System.Collections.Concurrent;
using System.Text.Json;
using Marketplace.Cli.Client;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>The client against a service that misbehaves on purpose.</summary>
public sealed class ClientTests : IAsyncDisposable
{
    private const string Key = "hf_secret";

    private readonly WebApplication service = Build();
    private readonly ConcurrentQueue<string> seen = [];
    private MarketplaceClient client = new(new Uri("http://127.0.0.1:1"), null);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cut_event_stream_is_resumed_after_the_last_event()
    {
        // Cutting a connection throws away what has not been read yet, so the event must have arrived first.
        var arrived = new TaskCompletionSource();
        service.MapGet("/api/v1/jobs/j/events", async (HttpContext context) =>
        {
            var last = context.Request.Headers["Last-Event-ID"].ToString();
            seen.Enqueue(last);
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(last == "" ? Event(1, "running") : Event(2, "succeeded"));
            await context.Response.Body.FlushAsync();
            if (last != "")
                return;
            await arrived.Task.WaitAsync(Stop);
            context.Abort();
        });

        await Start();
        var states = new List<string>();
        await foreach (var job in client.Watch("j", Stop))
        {
            states.Add(job.Status);
            arrived.TrySetResult();
        }

        Assert.Equal(["running", "succeeded"], states);
        Assert.Equal(["", "1"], seen);
    }

    [Fact]
    public async Task A_stream_that_ends_before_the_job_is_asked_for_again()
    {
        service.MapGet("/api/v1/jobs/j/events", async (HttpContext context) =>
        {
            seen.Enqueue(context.Request.Headers["Last-Event-ID"].ToString());
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(Event(seen.Count, seen.Count == 3 ? "cancelled" : "running"));
        });

        await Start();
        Assert.Equal(3, await client.Watch("j", Stop).CountAsync(Stop));
        Assert.Equal(["", "1", "2"], seen);
    }

    [Fact]
    public async Task A_continued_download_asks_for_the_rest_and_keeps_the_key_to_itself()
    {
        byte[] bytes = [.. Enumerable.Range(0, 1000).Select(i => (byte)i)];
        service.MapGet("/api/v1/adapters/a/b/versions/{id}/files/{path}", (HttpContext context) =>
        {
            seen.Enqueue(context.Request.Headers.Authorization.ToString());
            return Results.Redirect("/signed");
        });
        service.MapGet("/signed", (HttpContext context) =>
        {
            seen.Enqueue(context.Request.Headers.Authorization.ToString());
            seen.Enqueue(context.Request.Headers.Range.ToString());
            return Results.Bytes(bytes, enableRangeProcessing: true);
        });
        using var folder = new TemporaryFolder();
        var digest = Digest.Of(bytes).Hex;
        await File.WriteAllBytesAsync(Path.Combine(folder.Path, $"x.bin.{digest[..12]}.part"), bytes[..400], Stop);
        var version = new VersionView(
            "a/b", 1, new string('0', 40), null, DateTimeOffset.UnixEpoch, "a", null, [new FileView("x.bin", 1000, digest, new string('0', 40))], null);

        await Start();
        await new VersionDownload(client, version, folder.Path).Run(_ => { }, Stop);

        Assert.Equal([$"Bearer {Key}", "", "bytes=400-"], seen);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(folder.Path, "x.bin"), Stop));
    }

    [Theory]
    [InlineData("../outside.bin")]
    [InlineData("/etc/outside.bin")]
    [InlineData(".git/config")]
    public async Task A_file_that_would_leave_the_folder_is_not_written(string path)
    {
        using var folder = new TemporaryFolder();
        var version = new VersionView(
            "a/b", 1, new string('0', 40), null, DateTimeOffset.UnixEpoch, "a", null, [new FileView(path, 1, Digest.Of([1]).Hex, new string('0', 40))], null);

        var refused = await Assert.ThrowsAsync<Marketplace.Cli.CliException>(() => new VersionDownload(client, version, folder.Path).Run(_ => { }, Stop));

        Assert.Equal("unexpected-answer", refused.Code);
    }

    [Fact]
    public async Task A_page_that_is_no_marketplace_is_recognised()
    {
        service.MapGet("/api/v1/whoami", () => Results.Content("<html>", "text/html"));

        await Start();
        var refused = await Assert.ThrowsAsync<Marketplace.Cli.CliException>(() => client.WhoAmI(Stop));

        Assert.Equal("unexpected-answer", refused.Code);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await service.DisposeAsync();
    }

    private async Task Start()
    {
        await service.StartAsync(Stop);
        client = new MarketplaceClient(new Uri(service.Urls.Single()), Key);
    }

    private static WebApplication Build()
    {
        var builder = WebApplication.CreateSlimBuilder(["--urls", "http://127.0.0.1:0"]);
        builder.Logging.ClearProviders();
        return builder.Build();
    }

    private static string Event(int sequence, string status)
    {
        var job = new JobView("j", "merge", status, 1, sequence, null, DateTimeOffset.UnixEpoch, null, null, JsonDocument.Parse("{}").RootElement, null, null, null);
        return $"event: job\nid: {sequence}\ndata: {JsonSerializer.Serialize(job, ApiJson.Options)}\n\n";
    }
}

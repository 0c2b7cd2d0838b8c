using System.Security.Cryptography;
using System.Text;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Telemetry;

/// <summary>The two processes with a collector beside them, and users at work.</summary>
public sealed class TelemetryTests(AzuriteFixture azurite) : IAsyncLifetime
{
    private const int Server = 2, Producer = 4, Consumer = 5;

    private OtlpCollector collector = null!;
    private Stack stack = null!;

    public async ValueTask InitializeAsync()
    {
        collector = await OtlpCollector.StartAsync();
        stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), new StackSettings { Kernels = true, Environment = collector.Environment });
    }

    public async ValueTask DisposeAsync()
    {
        await stack.DisposeAsync();
        await collector.DisposeAsync();
    }

    [Fact]
    public Task A_trace_goes_from_the_request_through_the_queue_to_the_job_and_nothing_secret_goes_anywhere() => stack.RunAsync(async () =>
    {
        var secrets = await UseAsync();
        await MergedAsync();
        await ClusteredAsync();
        await ArrivedAsync();
        CheckMetrics();
        CheckLogs();
        await CheckAzureMonitorAsync();
        CheckSecrets(secrets);
    });

    // What a day brings: keys, failed attempts, good and broken uploads, downloads. Returns the secrets that went by.
    private async Task<List<string>> UseAsync()
    {
        var owner = await stack.AccountAsync("ann");
        var wrong = "hf_" + RandomNumberGenerator.GetString("abcdefghijklmnop", 37);
        (await stack.Caller(wrong).SendAsync(HttpMethod.Get, "/whoami")).Problem(401, "unauthenticated");
        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters/ann/none?token=" + wrong)).Problem(404, "not-found");
        var spare = await owner.PostAsync<KeyView>("/keys", new CreateKeyRequest("spare", "read"), 201);
        Assert.Equal(204, (await owner.SendAsync(HttpMethod.Delete, $"/keys/{spare.Id}")).Status);

        var files = StackAdapters.Files(seed: 1);
        var ticket = await owner.StageAsync("ann/first", files);
        Assert.Equal(202, (await owner.SendAsync(HttpMethod.Post, $"/uploads/{ticket.UploadId}/complete", null, Parent("a1"))).Status);
        var first = (await owner.DecidedAsync(ticket.UploadId)).Version!;
        await owner.PublishedAsync("ann/second", StackAdapters.Files(seed: 2));
        var broken = StackAdapters.Files(seed: 3);
        broken["adapter_model.safetensors"] = broken["adapter_model.safetensors"][..40];
        Assert.Equal("rejected", (await owner.PublishAsync("ann/broken", broken)).State);
        var download = await owner.SendAsync(HttpMethod.Get, $"/adapters/ann/first/versions/{first.Id}/files/adapter_config.json");
        Assert.Equal(302, download.Status);

        var account = stack.Storage.Options.ConnectionString!.Split(';').Single(p => p.StartsWith("AccountKey=", StringComparison.Ordinal))["AccountKey=".Length..];
        string[] tokens = [owner.Key!, stack.Admin.Key!, spare.Token!, wrong];
        return
        [
            account, .. tokens, .. tokens.Select(t => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(t)))),
            .. ticket.Files.Select(f => f.Url).Append(download.Headers["Location"]).SelectMany(Signatures), "sig=", "sig%3D", "SharedKey", "Bearer ",
        ];
    }

    private static IEnumerable<string> Signatures(string address)
    {
        var signature = address.Split('?', '&').Single(p => p.StartsWith("sig=", StringComparison.Ordinal))["sig=".Length..];
        return [signature, Uri.UnescapeDataString(signature)];
    }

    private static (string, string) Parent(string mark) => ("traceparent", $"00-{Trace(mark)}-{mark.PadLeft(16, '0')}-01");

    private static string Trace(string mark) => mark.PadLeft(32, '5');

    private async Task<JobView> AskAsync(string route, object request, string mark)
    {
        var owner = await stack.AccountAsync("ann");
        var answer = await owner.SendAsync(HttpMethod.Post, route, request, Parent(mark));
        Assert.Equal(202, answer.Status);
        var job = await owner.EndedAsync(answer.Read<JobView>().JobId);
        Assert.Equal("succeeded", job.Status);
        return job;
    }

    private async Task MergedAsync()
    {
        var job = await AskAsync("/merges", new MergeRecipe("linear", [RecipeInput.Of("ann/first"), RecipeInput.Of("ann/second")], new OutputRequest("ann/merged")), "b2");
        await ChainAsync("b2", "POST /api/v1/merges", QueueNames.KernelJobs, "marketplace-kernels", "job merge", job);
        Assert.Contains(collector.Logs, l => l.Service == "marketplace-kernels" && l.Trace == Trace("b2") && l.Attributes.GetValueOrDefault("JobId") == job.JobId);
    }

    private async Task ClusteredAsync()
    {
        var job = await AskAsync("/clusterings", new ClusteringRequest(StackAdapters.BaseModel, K: 2), "c3");
        await ChainAsync("c3", "POST /api/v1/clusterings", QueueNames.FunctionsJobs, "marketplace-functions", "job clustering", job);
    }

    // Request, message, delivery, job: each the child of the one before.
    private async Task ChainAsync(string mark, string route, string queue, string service, string work, JobView job)
    {
        await OtlpCollector.UntilAsync(() => In(mark).Any(s => s.Name == work) && In(mark).Any(s => s.Kind == Server), () => Tree(mark));
        await OtlpCollector.UntilAsync(() => In(mark).Any(s => s.Name == $"process {queue}"), () => Tree(mark));
        var server = Assert.Single(In(mark), s => s.Kind == Server);
        Assert.Equal((route, "marketplace-functions", mark.PadLeft(16, '0')), (server.Name, server.Service, server.Parent));
        var sent = Assert.Single(In(mark), s => s.Kind == Producer);
        Assert.Equal(($"send {queue}", server.Id), (sent.Name, sent.Parent));
        var received = Assert.Single(In(mark), s => s.Kind == Consumer);
        Assert.Equal(($"process {queue}", sent.Id, service), (received.Name, received.Parent, received.Service));
        Assert.Equal(queue, received.Attributes["messaging.destination.name"]);
        Assert.Equal(("1", job.JobId), (received.Attributes["marketplace.delivery"], received.Attributes["marketplace.message"]));
        var ran = Assert.Single(In(mark), s => s.Name == work);
        Assert.Equal((received.Id, service), (ran.Parent, ran.Service));
        Assert.Equal(("1", "succeeded", job.Kind), (ran.Attributes["marketplace.job.attempt"], ran.Attributes["marketplace.job.outcome"], ran.Attributes["marketplace.job.kind"]));
        // What the job did with storage hangs below it.
        Assert.Contains(In(mark), s => s.Service == service && s.Scope.StartsWith("Azure.", StringComparison.Ordinal) && Above(s).Contains(ran.Id));
    }

    private IEnumerable<SeenSpan> In(string mark) => collector.Spans.Where(s => s.Trace == Trace(mark));

    private IEnumerable<string> Above(SeenSpan span)
    {
        for (var at = span; at is not null; at = collector.Spans.FirstOrDefault(s => s.Id == at.Parent))
            yield return at.Parent;
    }

    private string Tree(string mark) => string.Join('\n', collector.Spans.Select(s => $"{(s.Trace == Trace(mark) ? "*" : " ")} {s.Service} {s.Name} {s.Id} < {s.Parent}"));

    private async Task ArrivedAsync()
    {
        await OtlpCollector.UntilAsync(() => In("a1").Any(s => s.Name == "publish version"), () => Tree("a1"));
        await OtlpCollector.UntilAsync(() => In("a1").Any(s => s.Name == "validate upload"), () => Tree("a1"));
        var validated = Assert.Single(In("a1"), s => s.Name == "validate upload");
        Assert.Equal("published", validated.Attributes["marketplace.upload.outcome"]);
        Assert.Contains(validated.Id, Above(Assert.Single(In("a1"), s => s.Name == "publish version")));
        // Nothing but requests, messages and timers begins a trace: no poll of a queue, no probe.
        await stack.Anonymous.GetAsync<HealthView>("/health");
        Assert.All(collector.Spans.Where(s => s.Parent.Length == 0), s => Assert.True(s.Kind == Server, $"{s.Name} {s.Scope}"));
        Assert.DoesNotContain(collector.Spans, s => s.Attributes.GetValueOrDefault("url.path")?.EndsWith("/health", StringComparison.Ordinal) == true);
    }

    private void CheckMetrics()
    {
        string[] ours = ["marketplace.queue.age", "marketplace.queue.length", "marketplace.job.duration", "marketplace.published.bytes", "marketplace.downloaded.bytes", "marketplace.rejects", "marketplace.problems"];
        Assert.All(ours, name => Assert.Contains(collector.Points, p => p.Metric == name));
        Assert.Contains(collector.Points, p => p.Metric == "http.server.request.duration" && p.Attributes.GetValueOrDefault("http.route") == "/api/v1/merges");
        Assert.Contains(collector.Points, p => p.Metric.StartsWith("dotnet.", StringComparison.Ordinal));

        Assert.Equal(["marketplace-functions"], collector.Points.Where(p => p.Metric == "marketplace.queue.length").Select(p => p.Service).Distinct());
        Assert.Equal(6, collector.Points.Where(p => p.Metric == "marketplace.queue.length").Select(p => p.Attributes["queue"]).Distinct().Count());
        Assert.Contains(collector.Points, p => p is { Metric: "marketplace.queue.age", Service: "marketplace-kernels", Unit: "s" } && p.Attributes["queue"] == QueueNames.KernelJobs);
        Assert.Contains(collector.Points, p => p.Metric == "marketplace.job.duration" && p.Attributes is { } a && a["kind"] == "merge" && a["outcome"] == "succeeded");
        Assert.Contains(collector.Points, p => p.Metric == "marketplace.problems" && p.Attributes["code"] == "unauthenticated" && p.Attributes["status"] == "401");
        Assert.Contains(collector.Points, p => p.Metric == "marketplace.problems" && p.Attributes["code"] == "not-found" && p.Attributes["status"] == "404");
        Assert.Contains(collector.Points, p => p.Metric == "marketplace.rejects" && p.Attributes["code"].Length > 0);

        // Every further value is a time series that costs: no names, no ids.
        string[] allowed = ["queue", "kind", "outcome", "code", "status"];
        var own = collector.Points.Where(p => p.Metric.StartsWith("marketplace.", StringComparison.Ordinal)).ToList();
        Assert.All(own, p => Assert.All(p.Attributes.Keys, k => Assert.Contains(k, allowed)));
        Assert.DoesNotContain(collector.Points, p => p.Attributes.Values.Any(v => v.Contains("ann", StringComparison.Ordinal)));
    }

    private void CheckLogs()
    {
        Assert.Contains(collector.Logs, l => l.Service == "marketplace-functions" && l.Trace == Trace("a1") && l.Attributes.GetValueOrDefault("State") == "Published");
        Assert.All(collector.Logs, l => Assert.False(l.Attributes.ContainsKey("") || l.Severity.Length == 0));
    }

    private async Task CheckAzureMonitorAsync()
    {
        await OtlpCollector.UntilAsync(
            () => new[] { "RequestData", "RemoteDependencyData", "MessageData", "MetricData", "marketplace.job.duration", Trace("b2"), "marketplace-kernels" }.All(w => collector.Tracked.Any(t => t.Contains(w, StringComparison.Ordinal))),
            () => string.Join('\n', collector.Tracked.Select(t => t[..Math.Min(300, t.Length)])));
    }

    private void CheckSecrets(List<string> secrets)
    {
        string[] all = [.. collector.Bodies, stack.Functions.Output, stack.Kernels.Output];
        Assert.True(collector.Bodies.Count > 10);
        foreach (var (text, i) in all.Select((t, i) => (t, i)))
        {
            foreach (var secret in secrets)
            {
                var at = text.IndexOf(secret, StringComparison.OrdinalIgnoreCase);
                var around = at < 0 ? "" : string.Concat(text[Math.Max(0, at - 300)..at].Where(c => c is >= ' ' and <= '~'));
                Assert.True(at < 0, $"{i}: a secret ({secret[..Math.Min(4, secret.Length)]}…) after: {around}");
            }
        }
    }
}

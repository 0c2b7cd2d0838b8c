using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using Marketplace.Cli.Azurite;
using Marketplace.Core;
using Marketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Marketplace.Benchmarks;

/// <summary>
/// What telemetry costs: one adapter's metadata asked for over HTTP, with a key, of the function app as a process; without exporters, with all traces exported by OTLP, and with a tenth of them.
/// Build the solution in Release first. The receiver is in this process and Azurite beside it, on the same processors: their work counts, too.
/// </summary>
internal static class TelemetryBenchmark
{
    private const int Clients = 8;
    private const int Rounds = 5;
    private static readonly TimeSpan Warmup = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(8);

    /// <summary>Runs all cases in turns and prints rows of a Markdown table.</summary>
    public static async Task RunAsync()
    {
        var folder = Directory.CreateTempSubdirectory("marketplace-telemetry-benchmark-").FullName;
        var azurite = await AzuriteProcess.StartAsync(folder);
        var connection = azurite.ConnectionString;
        var storage = new MarketplaceStorage(new StorageOptions { ConnectionString = connection, Namespace = "t" + Guid.NewGuid().ToString("N")[..10] });
        await storage.CreateAllAsync();
        var now = DateTimeOffset.UtcNow;
        await storage.Adapters.CreateAsync(new AdapterRecord(AdapterId.Parse("ann/one"), false, true, "org/base", "org/base", null, now, now, null, default));
        var (token, _) = await storage.Keys.CreateAsync("ann", "benchmark", KeyScope.Read, null);

        long received = 0;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var receiver = builder.Build();
        receiver.MapPost("/{**path}", async (HttpContext context) =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            Interlocked.Add(ref received, body.Length);
            return Results.Ok();
        });
        await receiver.StartAsync();
        var otlp = new Dictionary<string, string> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.Urls.First(), ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf", ["OTEL_METRIC_EXPORT_INTERVAL"] = "5000" };
        (string Name, Dictionary<string, string> Settings)[] cases =
        [
            ("no exporter", []),
            ("OTLP, every trace", otlp),
            ("OTLP, a tenth of the traces", new(otlp) { ["OTEL_TRACES_SAMPLER"] = "traceidratio", ["OTEL_TRACES_SAMPLER_ARG"] = "0.1" }),
        ];

        var hosts = new List<(Process Process, Uri Address)>();
        try
        {
            foreach (var (_, settings) in cases)
                hosts.Add(await StartAsync(connection, storage.Options.Namespace, settings));
            var rates = cases.Select(_ => new List<(double Rate, double Processor, double P99, long Bytes)>()).ToArray();
            foreach (var host in hosts)
                await LoadAsync(host, token, Warmup);
            for (var round = 0; round < Rounds; round++)
            {
                for (var i = 0; i < cases.Length; i++)
                {
                    var before = Interlocked.Read(ref received);
                    var (rate, processor, p99) = await LoadAsync(hosts[i], token, Length);
                    rates[i].Add((rate, processor, p99, Interlocked.Read(ref received) - before));
                }
            }

            Console.WriteLine($"{Environment.ProcessorCount} processors, {Clients} clients, median of {Rounds} rounds of {Length.TotalSeconds:f0} s in turns");
            Console.WriteLine("| | requests/s | ratio | processor time a request | 99 % within | telemetry a request |\n|---|---|---|---|---|---|");
            var yardstick = Median(rates[0].Select(r => r.Rate));
            for (var i = 0; i < cases.Length; i++)
            {
                var rate = Median(rates[i].Select(r => r.Rate));
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {cases[i].Name} | {rate:f0} | {rate / yardstick:f2} | {Median(rates[i].Select(r => r.Processor)) * 1e3:f2} ms | {Median(rates[i].Select(r => r.P99)) * 1e3:f1} ms | {Median(rates[i].Select(r => r.Bytes / (r.Rate * Length.TotalSeconds))):f0} bytes |"));
            }
        }
        finally
        {
            foreach (var (process, _) in hosts)
            {
                process.Kill();
                process.Dispose();
            }

            await azurite.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Median(IEnumerable<double> values) => values.Order().ToArray() is var sorted ? sorted[sorted.Length / 2] : 0;

    private static async Task<(double Rate, double Processor, double P99)> LoadAsync((Process Process, Uri Address) host, string token, TimeSpan length)
    {
        using var http = new HttpClient { BaseAddress = host.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        var times = new ConcurrentBag<double>();
        host.Process.Refresh();
        var (before, watch) = (host.Process.TotalProcessorTime, Stopwatch.StartNew());
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
        {
            while (watch.Elapsed < length)
            {
                var started = Stopwatch.GetTimestamp();
                using var answer = await http.GetAsync(new Uri("/api/v1/adapters/ann/one", UriKind.Relative));
                answer.EnsureSuccessStatusCode();
                times.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
            }
        }));
        var elapsed = watch.Elapsed.TotalSeconds;
        host.Process.Refresh();
        var sorted = times.Order().ToArray();
        return (sorted.Length / elapsed, (host.Process.TotalProcessorTime - before).TotalSeconds / sorted.Length, sorted[(int)(0.99 * (sorted.Length - 1))]);
    }

    // The function app built beside this program, in the same configuration.
    private static async Task<(Process Process, Uri Address)> StartAsync(string connection, string name, Dictionary<string, string> settings)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        var assembly = Path.Combine(own.Parent!.Parent!.FullName, "Marketplace.Functions", own.Name, "Marketplace.Functions.dll");
        var start = new ProcessStartInfo("dotnet", [assembly]) { RedirectStandardOutput = true };
        KeyValuePair<string, string>[] common =
        [
            new("Storage__ConnectionString", connection), new("Storage__Namespace", name), new("ASPNETCORE_URLS", "http://127.0.0.1:0"), new("Marketplace__Logging__Json", "false"),
            // One account asks as fast as it can.
            new("Marketplace__Limits__ReadsPerMinute", "1000000"),
        ];
        foreach (var (key, value) in settings.Concat(common))
            start.Environment[key] = value;
        var listening = new TaskCompletionSource<Uri>(TaskCreationOptions.RunContinuationsAsynchronously);
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, e) =>
        {
            const string Marker = "Now listening on: ";
            if (e.Data?.IndexOf(Marker, StringComparison.Ordinal) is { } at and >= 0)
                listening.TrySetResult(new Uri(e.Data[(at + Marker.Length)..].Trim()));
        };
        process.BeginOutputReadLine();
        return (process, await listening.Task.WaitAsync(TimeSpan.FromMinutes(1)));
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Marketplace.Core.Formats;

namespace Marketplace.Benchmarks;

/// <summary>
/// What the Hub's protocol costs: metadata asked for by 16 connections, and an adapter of 160 MB downloaded the ways that clients do it, against the same blob straight from storage. Service, storage and this program share the
/// processors.
/// </summary>
internal static class HubBenchmark
{
    private const int Connections = 16;
    private const int Rounds = 5;
    private const int Downloads = 25;
    private const string Small = "bench/small";
    private const string Large = "bench/large";
    private static readonly TimeSpan Warmup = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(4);

    private sealed record Case(string What, string Method, string Path, string? Key, int Status = 200)
    {
        public List<(double Rate, double P50, double P99, double Service, double Client)> Rounds { get; } = [];
    }

    /// <summary>Runs both parts, or downloads only, and prints rows of Markdown tables.</summary>
    public static async Task RunAsync(bool downloadsOnly)
    {
        // One account and one address ask as fast as they can.
        await using var stack = await BenchmarkStack.StartAsync(kernels: false, ("Marketplace__Limits__ReadsPerMinute", "10000000"));
        var owner = await stack.AccountAsync("bench");
        var key = (await stack.Admin.PostAsync<Core.Api.KeyView>("keys", new Core.Api.CreateKeyRequest("benchmark", "read", "reader"))).Token;
        var status = await owner.PublishAsync(Small, Adapter(layers: 2, width: 64, rank: 8));
        var commit = status.Version!.Id;
        await owner.PublishAsync(Large, Adapter(layers: 40, width: 4096, rank: 64));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} processors; function app {BenchmarkStack.Mebibytes(stack.Functions, "VmRSS"):f0} MiB after publishing"));
        if (!downloadsOnly)
            await MetadataAsync(stack, commit, key!);
        await DownloadsAsync(stack);
    }

    private static async Task MetadataAsync(BenchmarkStack stack, string commit, string key)
    {
        Case[] cases =
        [
            new("`GET …/revision/SHA`, anonymous", "GET", $"/api/models/{Small}/revision/{commit}", null),
            new("`GET …/revision/SHA`, with a key", "GET", $"/api/models/{Small}/revision/{commit}", key),
            new("`HEAD resolve` of a configuration, anonymous", "HEAD", $"/{Small}/resolve/main/adapter_config.json", null),
            new("`HEAD resolve` of a configuration, with a key", "HEAD", $"/{Small}/resolve/main/adapter_config.json", key),
            new("`GET /api/models/ID`, anonymous", "GET", $"/api/models/{Small}", null),
            new("`GET /api/models/ID`, with a key", "GET", $"/api/models/{Small}", key),
            new("`HEAD resolve` of large weights (signs an address), anonymous", "HEAD", $"/{Large}/resolve/main/adapter_model.safetensors", null, 302),
            new("no route at all (the pipeline alone)", "GET", "/api/agent-harnesses", null, 404),
            new("`GET /api/v1/adapters/ID`, with a key (rows read each time)", "GET", $"/api/v1/adapters/{Small}", key),
        ];
        foreach (var each in cases)
            await new HubLoad(stack.Address, each.Method, each.Path, each.Key).RunAsync(Connections, Warmup, each.Status);
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var each in cases)
                each.Rounds.Add(await MeasureAsync(stack, each));
        }

        Console.WriteLine($"{Connections} connections, median of {Rounds} rounds of {Length.TotalSeconds:f0} s in turns");
        Console.WriteLine("| | requests/s | 50 % within | 99 % within | function app, processor time a request | client's |\n|---|---|---|---|---|---|");
        foreach (var each in cases)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {each.What} | {Median(each.Rounds.Select(r => r.Rate)):f0} | {Median(each.Rounds.Select(r => r.P50)) * 1e3:f1} ms | {Median(each.Rounds.Select(r => r.P99)) * 1e3:f1} ms | {Median(each.Rounds.Select(r => r.Service)) * 1e3:f3} ms | {Median(each.Rounds.Select(r => r.Client)) * 1e3:f3} ms |"));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"function app {BenchmarkStack.Mebibytes(stack.Functions, "VmRSS"):f0} MiB"));
    }

    private static async Task<(double, double, double, double, double)> MeasureAsync(BenchmarkStack stack, Case each)
    {
        using var own = Process.GetCurrentProcess();
        stack.Functions.Refresh();
        var (service, client, watch) = (stack.Functions.TotalProcessorTime, own.TotalProcessorTime, Stopwatch.StartNew());
        var times = await new HubLoad(stack.Address, each.Method, each.Path, each.Key).RunAsync(Connections, Length, each.Status);
        var elapsed = watch.Elapsed.TotalSeconds;
        stack.Functions.Refresh();
        own.Refresh();
        times.Sort();
        return (
            times.Count / elapsed, times[times.Count / 2], times[(int)(0.99 * (times.Count - 1))],
            (stack.Functions.TotalProcessorTime - service).TotalSeconds / times.Count, (own.TotalProcessorTime - client).TotalSeconds / times.Count);
    }

    private static async Task DownloadsAsync(BenchmarkStack stack)
    {
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
        var resolve = new Uri(stack.Address, $"/{Large}/resolve/main/adapter_model.safetensors");
        async Task<(Uri Address, long Size)> HeadAsync()
        {
            using var head = await http.SendAsync(new HttpRequestMessage(HttpMethod.Head, resolve));
            return (head.Headers.Location!, long.Parse(head.Headers.GetValues("X-Linked-Size").Single(), CultureInfo.InvariantCulture));
        }

        async Task<Uri> RedirectAsync(RangeHeaderValue? range)
        {
            using var answer = await http.SendAsync(new HttpRequestMessage(HttpMethod.Get, resolve) { Headers = { Range = range } });
            return answer.StatusCode == HttpStatusCode.Redirect ? answer.Headers.Location! : throw new InvalidOperationException($"The file is not where storage is: {answer.StatusCode}");
        }

        var (direct, size) = await HeadAsync();
        (string What, Func<Task> Act, List<double> Times)[] ways =
        [
            ("straight from storage", () => FetchAsync(http, direct, null, size), []),
            ("as Python does: HEAD, then GET where it says", async () => await FetchAsync(http, (await HeadAsync()).Address, null, size), []),
            ("as `@huggingface/hub` does: the first byte, then the whole, each by redirect", async () =>
            {
                var first = new RangeHeaderValue(0, 0);
                await FetchAsync(http, await RedirectAsync(first), first, 1);
                await FetchAsync(http, await RedirectAsync(null), null, size);
            }, []),
        ];
        foreach (var way in ways)
            await way.Act();
        var before = BenchmarkStack.Mebibytes(stack.Functions, "VmRSS");
        for (var round = 0; round < Downloads; round++)
        {
            foreach (var (_, act, times) in ways)
            {
                var started = Stopwatch.GetTimestamp();
                await act();
                times.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
            }
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{size / 1e6:f0} MB, median of {Downloads} downloads in turns\n| | seconds | MB/s | ratio | fastest | ratio |\n|---|---|---|---|---|---|"));
        foreach (var (what, _, times) in ways)
        {
            var median = Median(times);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {what} | {median:f3} | {size / 1e6 / median:f0} | {median / Median(ways[0].Times):f2} | {times.Min():f3} | {times.Min() / ways[0].Times.Min():f2} |"));
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"function app {before:f0} MiB before, {BenchmarkStack.Mebibytes(stack.Functions, "VmRSS"):f0} MiB after; at most {BenchmarkStack.Mebibytes(stack.Functions, "VmHWM"):f0} MiB (validation of the upload included)"));
    }

    private static async Task FetchAsync(HttpClient http, Uri address, RangeHeaderValue? range, long expected)
    {
        using var answer = await http.SendAsync(new HttpRequestMessage(HttpMethod.Get, address) { Headers = { Range = range } }, HttpCompletionOption.ResponseHeadersRead);
        answer.EnsureSuccessStatusCode();
        await using var stream = await answer.Content.ReadAsStreamAsync();
        var (buffer, sum) = (new byte[1 << 17], 0L);
        for (int read; (read = await stream.ReadAsync(buffer)) > 0;)
            sum += read;
        if (sum != expected)
            throw new InvalidOperationException($"{sum} bytes came instead of {expected}.");
    }

    // Two modules in each layer.
    private static Dictionary<string, byte[]> Adapter(int layers, int width, int rank)
    {
        var random = new Random(layers);
        var tensors = new List<TensorSource>();
        for (var layer = 0; layer < layers; layer++)
        {
            foreach (var module in new[] { "q_proj", "v_proj" })
            {
                tensors.Add(Tensor($"base_model.model.model.layers.{layer}.self_attn.{module}.lora_A.weight", rank, width));
                tensors.Add(Tensor($"base_model.model.model.layers.{layer}.self_attn.{module}.lora_B.weight", width, rank));
            }
        }

        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, SafetensorsWriter.PyTorch);
        return new()
        {
            ["adapter_config.json"] = JsonSerializer.SerializeToUtf8Bytes(new
            {
                base_model_name_or_path = "bench/base",
                peft_type = "LORA",
                r = rank,
                lora_alpha = rank,
                target_modules = new[] { "q_proj", "v_proj" },
                task_type = "CAUSAL_LM",
            }),
            ["adapter_model.safetensors"] = stream.ToArray(),
            ["README.md"] = "---\nlicense: mit\ntags:\n- benchmark\n---\n# Benchmark\n"u8.ToArray(),
        };

        TensorSource Tensor(string name, int rows, int columns)
        {
            var values = new double[rows * columns];
            foreach (ref var value in values.AsSpan())
                value = (random.NextDouble() - 0.5) / 10;
            return TensorSource.FromDoubles(name, TensorType.F32, [rows, columns], () => values);
        }
    }

    private static double Median(IEnumerable<double> values) => values.Order().ToArray() is var sorted ? sorted[sorted.Length / 2] : 0;
}

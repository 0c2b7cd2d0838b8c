using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Marketplace.Cli.Azurite;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;

namespace Marketplace.Benchmarks;

/// <summary>
/// Small adapters published over HTTP to the function app on Azurite, by several clients, and then clustered: the whole way, as users go it. Build the solution in
/// Release first, since the function app is a process of its own.
/// </summary>
internal static class LibraryBenchmark
{
    private const string Base = "benchmark/library-base";
    private const int Layers = 24;
    private const int Width = 64;
    private const int Rank = 4;
    private const int Groups = 20;
    private const int Clients = 8;

    /// <summary>Runs it.</summary>
    /// <param name="args">How many adapters; 1,000 if absent.</param>
    public static async Task Run(string[] args)
    {
        var count = args is [var n, ..] ? int.Parse(n, CultureInfo.InvariantCulture) : 1000;
        var folder = Directory.CreateTempSubdirectory("marketplace-library-benchmark-").FullName;
        var azurite = await AzuriteProcess.StartAsync(folder);
        var (admin, address, functions) = await StartAsync(azurite.ConnectionString, count + 100);
        try
        {
            var clients = new List<HttpClient>();
            foreach (var client in Enumerable.Range(0, Clients))
                clients.Add(Client(address, (await PostAsync<KeyView>(admin, "keys", new CreateKeyRequest("benchmark", "publish", $"client-{client}"))).Token));
            Console.WriteLine($"{Environment.ProcessorCount} processors; {count} adapters of {Layers} modules {Width}×{Width}, rank {Rank}; {Clients} clients\n| step | s | function app MiB, peak so far |\n|---|---|---|");

            var started = Stopwatch.GetTimestamp();
            await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = Clients }, async (i, _) => await PublishAsync(clients[i % Clients], $"client-{i % Clients}/a{i:D5}", i));
            Row($"publish {count}", started, functions);
            foreach (var (similarity, mode) in new[] { ("delta", "sketch"), ("flatAb", "sketch"), ("delta", "exact"), ("flatAb", "exact") })
            {
                started = Stopwatch.GetTimestamp();
                var job = await PostAsync<JobView>(clients[0], "clusterings", new ClusteringRequest(Base, similarity, Mode: mode));
                while (job.Status is "queued" or "running")
                {
                    await Task.Delay(50);
                    job = await GetAsync<JobView>(clients[0], $"jobs/{job.JobId}");
                }

                if (job.Status != "succeeded")
                    throw new InvalidOperationException($"{job.Code}: {job.Detail}");
                var snapshot = await GetAsync<ClusterSnapshotView>(clients[0], $"clusterings/{job.Result!.Value.Deserialize<ClusteringResult>(ApiJson.Options)!.SnapshotId}");
                Row($"cluster by {similarity}, {mode}: {snapshot.K} clusters of {snapshot.Members}", started, functions);
            }

            started = Stopwatch.GetTimestamp();
            await PublishAsync(clients[0], "client-0/late", 7);
            Row("publish one more, placed into two snapshots", started, functions);
        }
        finally
        {
            functions.Kill();
            await functions.WaitForExitAsync();
            await azurite.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Row(string step, long started, Process functions)
    {
        var peak = File.ReadLines($"/proc/{functions.Id}/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {step} | {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} | {long.Parse(peak, CultureInfo.InvariantCulture) >> 10} |"));
    }

    private static async Task PublishAsync(HttpClient client, string adapter, int seed)
    {
        var files = Files(seed);
        var ticket = await PostAsync<UploadTicket>(client, "uploads", new BeginUploadRequest(adapter, [.. files.Select(f => new UploadFileRequest(f.Key, f.Value.Length))]));
        foreach (var target in ticket.Files)
        {
            using var request = new HttpRequestMessage(HttpMethod.Put, target.Url) { Content = new ByteArrayContent(files[target.Path]) };
            request.Headers.Add("x-ms-blob-type", "BlockBlob");
            using var response = await client.SendAsync(request);
            response.EnsureSuccessStatusCode();
        }

        await PostAsync<UploadStatus>(client, $"uploads/{ticket.UploadId}/complete", null);
        while (await GetAsync<UploadStatus>(client, $"uploads/{ticket.UploadId}") is { State: var state } && state != "published")
        {
            if (state is not ("open" or "queued"))
                throw new InvalidOperationException($"{adapter} is {state}.");
            await Task.Delay(20);
        }
    }

    private static Dictionary<string, byte[]> Files(int seed)
    {
        var (centre, own) = (new Random(seed % Groups), new Random(1000 + seed));
        var tensors = Enumerable.Range(0, Layers).SelectMany(layer => new[] { ("lora_A", Rank, Width), ("lora_B", Width, Rank) }.Select(t =>
        {
            var values = Enumerable.Range(0, Rank * Width).Select(_ => centre.NextDouble() - 0.5 + (0.6 * (own.NextDouble() - 0.5))).ToArray();
            return TensorSource.FromDoubles($"base_model.model.model.layers.{layer}.self_attn.q_proj.{t.Item1}.weight", TensorType.F32, [t.Item2, t.Item3], () => values);
        })).ToList();
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, SafetensorsWriter.PyTorch);
        var config = new AdapterConfig { BaseModel = Base, Rank = Rank, Alpha = Rank, TargetModules = ModuleSelector.List(["q_proj"]) };
        return new() { [RepositoryPath.Config] = config.ToJson(), [RepositoryPath.Weights] = stream.ToArray() };
    }

    private static async Task<(HttpClient Admin, Uri Address, Process Functions)> StartAsync(string connection, int exactUpTo)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        var assembly = Path.Combine(own.Parent!.Parent!.FullName, "Marketplace.Functions", own.Name, "Marketplace.Functions.dll");
        var key = "hf_" + RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 37);
        var start = new ProcessStartInfo("dotnet", [assembly]) { RedirectStandardOutput = true, WorkingDirectory = Path.GetDirectoryName(assembly)! };
        start.Environment["Storage__ConnectionString"] = connection;
        start.Environment["Marketplace__AdminKey"] = key;
        start.Environment["Marketplace__MaxExactLibrary"] = exactUpTo.ToString(CultureInfo.InvariantCulture);
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        start.Environment["Logging__LogLevel__ValidateAdapter"] = "Warning";
        var process = Process.Start(start)!;
        const string marker = "Now listening on: ";
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.IndexOf(marker, StringComparison.Ordinal) is not (>= 0 and var at))
                continue;
            _ = process.StandardOutput.ReadToEndAsync(); // or the pipe fills, and the app waits for ever
            var address = new Uri(line[(at + marker.Length)..].Trim());
            return (Client(address, key), address, process);
        }

        throw new InvalidOperationException("The function app does not start.");
    }

    private static HttpClient Client(Uri address, string? key)
    {
        var client = new HttpClient { BaseAddress = new Uri(address, "/api/v1/"), Timeout = TimeSpan.FromMinutes(5) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    private static async Task<T> PostAsync<T>(HttpClient client, string route, object? body)
    {
        using var response = await client.PostAsync(new Uri(route, UriKind.Relative), body is null ? null : JsonContent.Create(body, body.GetType(), options: ApiJson.Options));
        return await ReadAsync<T>(response);
    }

    private static async Task<T> GetAsync<T>(HttpClient client, string route)
    {
        using var response = await client.GetAsync(new Uri(route, UriKind.Relative));
        return await ReadAsync<T>(response);
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response) => response.IsSuccessStatusCode
        ? (await response.Content.ReadFromJsonAsync<T>(ApiJson.Options))!
        : throw new InvalidOperationException($"{response.RequestMessage?.RequestUri} answers {response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
}

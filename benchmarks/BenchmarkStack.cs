using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using Marketplace.Cli.Azurite;
using Marketplace.Core.Api;

namespace Marketplace.Benchmarks;

/// <summary>
/// The function app, and the kernels where asked for, as processes of their own on an Azurite of their own, and callers over HTTP. Build the solution in the same configuration
/// first: the processes are those that lie beside this one.
/// </summary>
internal sealed class BenchmarkStack : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("marketplace-benchmark-").FullName;
    private readonly string adminKey = "hf_" + RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 37);
    private AzuriteProcess azurite = null!;
    private readonly List<BenchmarkCaller> callers = [];

    public Process Functions { get; private set; } = null!;

    public Process? Kernels { get; private set; }

    public Uri Address { get; private set; } = null!;

    public BenchmarkCaller Admin { get; private set; } = null!;

    public string StorageConnectionString => azurite.ConnectionString;

    /// <summary>Starts it.</summary>
    /// <param name="kernels">Whether the kernels run, too.</param>
    /// <param name="settings">Further variables of the function app.</param>
    public static async Task<BenchmarkStack> StartAsync(bool kernels, params (string Name, string Value)[] settings)
    {
        var stack = new BenchmarkStack();
        stack.azurite = await AzuriteProcess.StartAsync(Path.Combine(stack.folder, "storage"));
        (stack.Functions, stack.Address) = await stack.StartHostAsync("Marketplace.Functions", [("Marketplace__AdminKey", stack.adminKey), .. settings]);
        if (kernels)
            (stack.Kernels, _) = await stack.StartHostAsync("Marketplace.Kernels", []);
        stack.Admin = stack.Caller(stack.adminKey);
        return stack;
    }

    /// <summary>A caller with a key; none is anonymous.</summary>
    public BenchmarkCaller Caller(string? key)
    {
        callers.Add(new BenchmarkCaller(Address, key));
        return callers[^1];
    }

    /// <summary>A caller with a fresh key of an account.</summary>
    public async Task<BenchmarkCaller> AccountAsync(string owner) =>
        Caller((await Admin.PostAsync<KeyView>("keys", new CreateKeyRequest("benchmark", "publish", owner))).Token);

    /// <summary>A counter of <c>/proc/ID/status</c> in MiB, such as VmHWM, the most that was resident, or VmRSS.</summary>
    public static double Mebibytes(Process process, string counter) => long.Parse(
        File.ReadLines($"/proc/{process.Id}/status").First(l => l.StartsWith(counter + ":", StringComparison.Ordinal)).Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture) / 1024.0;

    public async ValueTask DisposeAsync()
    {
        foreach (var process in new[] { Functions, Kernels })
        {
            if (process is null)
                continue;
            process.Kill();
            await process.WaitForExitAsync();
        }

        callers.ForEach(c => c.Dispose());
        await azurite.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    private async Task<(Process Host, Uri Address)> StartHostAsync(string name, (string Name, string Value)[] settings)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        var assembly = Path.Combine(own.Parent!.Parent!.FullName, name, own.Name, name + ".dll");
        var start = new ProcessStartInfo("dotnet", [assembly]) { RedirectStandardOutput = true, WorkingDirectory = Path.GetDirectoryName(assembly)! };
        start.Environment["Storage__ConnectionString"] = azurite.ConnectionString;
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        start.Environment["Marketplace__Logging__Json"] = "false";
        start.Environment["Logging__LogLevel__ValidateAdapter"] = "Warning";
        start.Environment["TMPDIR"] = folder;
        foreach (var (variable, value) in settings)
            start.Environment[variable] = value;
        var process = Process.Start(start)!;
        const string marker = "Now listening on: ";
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.IndexOf(marker, StringComparison.Ordinal) is not (>= 0 and var at))
                continue;
            _ = CopyAsync(process, Path.Combine(Path.GetTempPath(), $"{name}.benchmark.log")); // or the pipe fills, and the host waits for ever
            return (process, new Uri(line[(at + marker.Length)..].Trim()));
        }

        throw new InvalidOperationException($"{name} does not start.");
    }

    private static async Task CopyAsync(Process process, string path)
    {
        await using var log = new StreamWriter(path);
        while (await process.StandardOutput.ReadLineAsync() is { } line)
            await log.WriteLineAsync(line);
    }
}

/// <summary>The API as one caller uses it; an answer that is not a success throws.</summary>
internal sealed class BenchmarkCaller : IDisposable
{
    private static readonly HttpClient Storage = new();

    private readonly HttpClient http;

    public BenchmarkCaller(Uri address, string? key)
    {
        http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = new Uri(address, "/api/v1/"), Timeout = TimeSpan.FromMinutes(5) };
        if (key is not null)
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    public Task<T> GetAsync<T>(string route) => ReadAsync<T>(HttpMethod.Get, route, null);

    public Task<T> PostAsync<T>(string route, object? body) => ReadAsync<T>(HttpMethod.Post, route, body);

    /// <summary>The status of an answer, whatever it is.</summary>
    public async Task<int> StatusAsync(HttpMethod method, string route, object? body = null)
    {
        using var response = await SendAsync(method, route, body);
        return (int)response.StatusCode;
    }

    /// <summary>Follows the redirect of a file.</summary>
    public async Task<byte[]> DownloadAsync(string route)
    {
        using var response = await SendAsync(HttpMethod.Get, route, null);
        return (int)response.StatusCode == 302 ? await Storage.GetByteArrayAsync(response.Headers.Location) : throw await FailureAsync(response);
    }

    /// <summary>Uploads files of an adapter and waits for what becomes of them.</summary>
    public async Task<UploadStatus> PublishAsync(string adapter, IReadOnlyDictionary<string, byte[]> files) =>
        await SendFilesAsync(await PostAsync<UploadTicket>("uploads", new BeginUploadRequest(adapter, Announced(files))), files);

    /// <summary>The same for a base model.</summary>
    public async Task<UploadStatus> RegisterAsync(string baseModel, IReadOnlyDictionary<string, byte[]> files) =>
        await SendFilesAsync(await PostAsync<UploadTicket>("base-models", new RegisterBaseModelRequest(baseModel, Announced(files))), files);

    private static List<UploadFileRequest> Announced(IReadOnlyDictionary<string, byte[]> files) => [.. files.Select(f => new UploadFileRequest(f.Key, f.Value.Length))];

    private async Task<UploadStatus> SendFilesAsync(UploadTicket ticket, IReadOnlyDictionary<string, byte[]> files)
    {
        foreach (var target in ticket.Files)
        {
            using var request = new HttpRequestMessage(HttpMethod.Put, target.Url) { Content = new ByteArrayContent(files[target.Path]) };
            request.Headers.Add("x-ms-blob-type", "BlockBlob");
            using var response = await Storage.SendAsync(request);
            response.EnsureSuccessStatusCode();
        }

        var status = await PostAsync<UploadStatus>($"uploads/{ticket.UploadId}/complete", null);
        while (status.State is "open" or "queued")
        {
            await Task.Delay(20);
            status = await GetAsync<UploadStatus>($"uploads/{ticket.UploadId}");
        }

        return status;
    }

    /// <summary>Waits for a job's end; one that does not succeed throws.</summary>
    public async Task<JobView> FinishAsync(JobView job)
    {
        while (job.Status is "queued" or "running")
        {
            await Task.Delay(50);
            job = await GetAsync<JobView>($"jobs/{job.JobId}");
        }

        return job.Status == "succeeded" ? job : throw new InvalidOperationException($"{job.Kind} is {job.Status}: {job.Code} {job.Detail}");
    }

    public void Dispose() => http.Dispose();

    private async Task<T> ReadAsync<T>(HttpMethod method, string route, object? body)
    {
        using var response = await SendAsync(method, route, body);
        return response.IsSuccessStatusCode ? (await response.Content.ReadFromJsonAsync<T>(ApiJson.Options))! : throw await FailureAsync(response);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string route, object? body)
    {
        using var request = new HttpRequestMessage(method, new Uri(route, UriKind.Relative));
        if (body is not null)
            request.Content = JsonContent.Create(body, body.GetType(), options: ApiJson.Options);
        return await http.SendAsync(request);
    }

    private static async Task<InvalidOperationException> FailureAsync(HttpResponseMessage response) =>
        new($"{response.RequestMessage?.RequestUri} answers {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
}

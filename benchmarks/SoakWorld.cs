using System.Security.Cryptography;
using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;

namespace Marketplace.Benchmarks;

/// <summary>What the soak works on: the sample library in each account, and the callers.</summary>
internal sealed class SoakWorld
{
    private const string Base = "marketplace/samples-base";

    private readonly List<BenchmarkCaller> callers = [];
    private readonly Dictionary<string, Dictionary<string, byte[]>> samples = [];
    private readonly string[] tasks;
    private readonly BenchmarkCaller anonymous;
    private readonly BenchmarkCaller wrongKey;
    private readonly Dictionary<string, byte[]> broken;
    private readonly BenchmarkStack stack;

    private SoakWorld(BenchmarkStack stack, string[] tasks, string samplesFolder)
    {
        (this.stack, this.tasks) = (stack, tasks);
        anonymous = stack.Caller(null);
        wrongKey = stack.Caller("hf_" + new string('x', 37));
        foreach (var name in (string[])[.. tasks, "log"])
            samples[name] = Read(Path.Combine(samplesFolder, "library", name));
        broken = Read(Path.Combine(samplesFolder, "broken", "truncated"));
    }

    public static async Task<SoakWorld> CreateAsync(BenchmarkStack stack, int accounts, string[] tasks)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!Directory.Exists(Path.Combine(folder.FullName, "samples", "library")))
            folder = folder.Parent ?? throw new InvalidOperationException("The samples are not above this program.");
        var samplesFolder = Path.Combine(folder.FullName, "samples");
        var world = new SoakWorld(stack, tasks, samplesFolder);

        var baseFiles = Read(Path.Combine(samplesFolder, "base"));
        var registered = await stack.Admin.RegisterAsync(Base, baseFiles);
        Expect(registered.State == "published", $"The base model is {registered.State}.");
        for (var i = 0; i < accounts; i++)
        {
            var caller = await stack.AccountAsync($"soak{i}");
            world.callers.Add(caller);
            foreach (var (name, files) in world.samples)
                Expect((await caller.PublishAsync($"soak{i}/{name}", files)).State == "published", $"{name} is not published.");
            await caller.PostAsync<PublishEvaluationSetResponse>("evaluation-sets", new PublishEvaluationSetRequest(
                $"soak{i}/copy-few", [.. File.ReadLines(Path.Combine(samplesFolder, "sets", "copy.jsonl")).Take(8).Select(l => JsonDocument.Parse(l).RootElement)]));
        }

        return world;
    }

    public async Task GetAsync(int n) => Expect((await anonymous.GetAsync<AdapterView>($"adapters/{Adapter(n)}")).Id == Adapter(n), "another adapter came back");

    public async Task ListAsync(int n)
    {
        var list = await anonymous.GetAsync<ListResponse<AdapterView>>(n % 2 == 0 ? $"adapters?owner=soak{n % callers.Count}" : $"adapters?baseModel={Base}&limit=20");
        Expect(list.Items.Count > 0, "an empty list");
    }

    public async Task DownloadAsync(int n)
    {
        var weights = await anonymous.DownloadAsync($"adapters/soak{n % callers.Count}/log/versions/1/files/adapter_model.safetensors");
        Expect(SHA256.HashData(weights).SequenceEqual(SHA256.HashData(samples["log"]["adapter_model.safetensors"])), "other bytes");
    }

    public async Task SimilarAsync(int n) => await anonymous.GetAsync<JsonElement>(n % 2 == 0 ? $"adapters/{Adapter(n)}/similar?limit=3" : $"adapters/{Adapter(n)}/novelty");

    public async Task RankAsync(int n) => await anonymous.GetAsync<JsonElement>($"adapters/{Adapter(n)}/versions/main/ranks/{1 + (n % 4)}");

    // The card differs each time, so that each is a version of its own; the weights are stored once.
    public async Task PublishAsync(int n)
    {
        var files = new Dictionary<string, byte[]>(samples[Task(n)]) { ["notes.txt"] = System.Text.Encoding.UTF8.GetBytes($"soak {n}\n") };
        var status = await callers[n % callers.Count].PublishAsync(Adapter(n), files);
        Expect(status.State == "published", $"{Adapter(n)} is {status.State}: {status.Detail}");
    }

    public async Task PublishBrokenAsync(int n)
    {
        var status = await callers[n % callers.Count].PublishAsync($"soak{n % callers.Count}/broken", broken);
        Expect(status.State == "rejected" && status.Issues!.Any(i => i.Code == "truncated"), $"a truncated adapter is {status.State}");
    }

    public async Task KeyAsync(int n)
    {
        var caller = callers[n % callers.Count];
        var key = await caller.PostAsync<KeyView>("keys", new CreateKeyRequest($"soak {n}", "read"));
        using var other = new BenchmarkCaller(stack.Address, key.Token);
        Expect((await other.GetAsync<WhoAmIView>("whoami")).Owner == $"soak{n % callers.Count}", "a key of somebody else");
        Expect(await caller.StatusAsync(HttpMethod.Delete, $"keys/{key.Id}") == 204, "a key that can't be taken back");
        Expect(await other.StatusAsync(HttpMethod.Get, "whoami") == 401, "a key that works after it was taken back");
    }

    public async Task TagAsync(int n)
    {
        var (caller, adapter) = (callers[n % callers.Count], Adapter(n));
        Expect(await caller.StatusAsync(HttpMethod.Put, $"adapters/{adapter}/tags/soak-{n}") == 204, "a tag that can't be set");
        Expect(await caller.StatusAsync(HttpMethod.Delete, $"adapters/{adapter}/tags/soak-{n}") == 204, "a tag that can't be forgotten");
    }

    public async Task RefusedAsync(int n)
    {
        if (n % 4 == 0)
            Expect(await wrongKey.StatusAsync(HttpMethod.Get, "whoami") == 401, "a wrong key is let in");
        else
            Expect(await anonymous.StatusAsync(HttpMethod.Get, $"adapters/soak0/missing-{n}") == 404, "a missing adapter is there");
    }

    public async Task PlanAsync(int n)
    {
        if (n % 2 == 0)
            await callers[n % callers.Count].PostAsync<JsonElement>("merges/plan", Recipe(n));
        else
            await callers[n % callers.Count].PostAsync<JsonElement>("compatibility", new CompatibilityRequest([Adapter(n), Adapter(n + 1)]));
    }

    public async Task MergeAsync(int n)
    {
        var caller = callers[n % callers.Count];
        await caller.FinishAsync(await caller.PostAsync<JobView>("merges", Recipe(n) with { Output = new OutputRequest($"soak{n % callers.Count}/merged") }));
    }

    public async Task SubtractAsync(int n)
    {
        var caller = callers[n % callers.Count];
        await caller.FinishAsync(await caller.PostAsync<JobView>("subtractions", new SubtractionRequest(
            Adapter(n), [new($"soak{n % callers.Count}/log")], new OutputRequest($"soak{n % callers.Count}/residual"), Beta: 0.1 + (n % 1000 / 1000.0))));
    }

    public async Task ClusterAsync(int n)
    {
        var caller = callers[n % callers.Count];
        await caller.FinishAsync(await caller.PostAsync<JobView>("clusterings", new ClusteringRequest(Base, Scope: "mine", Mode: "sketch")));
    }

    public async Task EvaluateAsync(int n)
    {
        var caller = callers[n % callers.Count];
        await caller.FinishAsync(await caller.PostAsync<JobView>("evaluations", new EvaluationRequest(
            [$"soak{n % callers.Count}/copy-few"], [new WeightedSubject([new(Adapter(n), n % 1000 / 1000.0)])])));
    }

    private static void Expect(bool condition, string message)
    {
        if (!condition)
            throw new InvalidOperationException(message);
    }

    private static Dictionary<string, byte[]> Read(string folder) => Directory.GetFiles(folder).ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes);

    private string Task(int n) => tasks[n / callers.Count % tasks.Length];

    private string Adapter(int n) => $"soak{n % callers.Count}/{Task(n)}";

    private MergeRecipe Recipe(int n) => new(n % 3 == 0 ? "ties" : "linear", [new(Adapter(n), Weight: 1 + (n % 100 / 100.0)), new($"soak{n % callers.Count}/log@1", Weight: 0.5)]);
}

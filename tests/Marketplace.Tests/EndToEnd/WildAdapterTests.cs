using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Real adapters published by one account over HTTP: verdicts, base models, clusters.</summary>
public sealed class WildAdapterTests(AzuriteFixture azurite)
{
    private const string Tuned = "google/gemma-3-270m-it";
    private const string Plain = "google/gemma-3-270m";

    [Fact]
    public async Task Adapters_from_the_wild_get_their_verdicts_and_find_their_libraries()
    {
        var adapters = WildAdapters.Catalogue();
        await using var stack = await Stack.StartAsync(await azurite.ConnectionStringAsync());
        await stack.RunAsync(async () =>
        {
            var owner = await stack.AccountAsync("wild");
            await VerdictsAsync(owner, adapters);
            var published = (await ListAsync(owner, "/adapters?owner=wild")).ToLookup(a => a.BaseModelName, a => a.Id);
            await BaseModelsAsync(owner, published);
            await ClustersAsync(owner, [.. published["gpt2"]]);
        });
    }

    private static async Task VerdictsAsync(StackApi owner, IReadOnlyList<WildAdapter> adapters)
    {
        var (expected, found, copies) = (new List<string>(), new List<string>(), new List<(string Name, string Message)>());
        foreach (var adapter in adapters)
        {
            var files = Directory.GetFiles(adapter.Folder).ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes);
            var status = await owner.PublishAsync($"wild/{adapter.Name}", files);
            expected.Add(Verdict(adapter.Name, adapter.IsAccepted ? "published" : "rejected", adapter.Because.Select(c => c[(c.IndexOf(':', StringComparison.Ordinal) + 1)..])));
            // Of what is refused, the catalogue tells the reasons only.
            found.Add(Verdict(adapter.Name, status.State, status.Issues!.Where(i => i.Code != "near-duplicate" && !(status.State == "rejected" && i.Severity != "error")).Select(i => i.Code)));
            copies.AddRange(status.Issues!.Where(i => i.Code == "near-duplicate").Select(i => (adapter.Name, i.Message)));
        }

        // Checkpoints of one training are all but the same adapter; what strangers trained never is.
        Assert.NotEmpty(copies);
        Assert.All(copies, c => Assert.Contains("of wild/" + c.Name[..c.Name.LastIndexOf("__", StringComparison.Ordinal)], c.Message, StringComparison.Ordinal));

        Assert.Equal(expected, found);
        var listed = await ListAsync(owner, "/adapters?owner=wild");
        Assert.Equal(adapters.Where(a => a.IsAccepted).Select(a => $"wild/{a.Name}").Order(StringComparer.Ordinal), listed.Select(a => a.Id));

        static string Verdict(string name, string state, IEnumerable<string> codes) =>
            $"{name}: {state} {string.Join(' ', codes.Distinct().Order(StringComparer.Ordinal))}";
    }

    private static async Task BaseModelsAsync(StackApi owner, ILookup<string, string> published)
    {
        var spellings = published.Where(s => s.Key.Contains("270m", StringComparison.Ordinal)).ToDictionary(s => s.Key, s => s.ToList());
        Assert.Equal(6, spellings.Count);
        var tuned = spellings[Tuned].ToList();
        var plain = new List<string>();
        foreach (var spelling in spellings.Keys.Where(s => s != Tuned).Order(StringComparer.Ordinal))
        {
            // Unconfirmed, a spelling is in neither library, however much it looks like one of them.
            await LibrariesAsync();
            var (library, baseModel) = spelling.EndsWith("-it", StringComparison.Ordinal) ? (tuned, Tuned) : (plain, Plain);
            var confirmed = await owner.PostAsync<ConfirmAliasResponse>("/base-models/aliases", new ConfirmAliasRequest(spelling, baseModel), 200);
            Assert.Equal(spellings[spelling].Order(StringComparer.Ordinal), confirmed.Adapters.Order(StringComparer.Ordinal));
            library.AddRange(spellings[spelling]);
            Assert.Equal(baseModel, (await owner.GetAsync<BaseModelAliasView>($"/base-models/resolve?name={Uri.EscapeDataString(spelling)}")).BaseModel);
        }

        await LibrariesAsync();
        Assert.Equal((8, 2), (tuned.Count, plain.Count));

        async Task LibrariesAsync()
        {
            Assert.Equal(tuned.Order(StringComparer.Ordinal), (await ListAsync(owner, $"/adapters?baseModel={Tuned}")).Select(a => a.Id));
            Assert.Equal(plain.Order(StringComparer.Ordinal), (await ListAsync(owner, $"/adapters?baseModel={Plain}")).Select(a => a.Id));
        }
    }

    private static async Task ClustersAsync(StackApi owner, List<string> library)
    {
        var family = library.Where(a => a.StartsWith("wild/laziestcactus", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
        Assert.Equal((13, 11), (library.Count, family.Count));

        var job = await owner.PostAsync<JobView>("/clusterings", new ClusteringRequest("gpt2", "delta", K: 2), 202);
        job = await owner.EndedAsync(job.JobId);
        Assert.Equal("succeeded", job.Status);
        var id = JsonSerializer.Deserialize<ClusteringResult>(job.Result!.Value, ApiJson.Options)!.SnapshotId;
        var snapshot = await owner.GetAsync<ClusterSnapshotView>($"/clusterings/{id}");
        Assert.Empty(snapshot.Excluded);
        var clusters = snapshot.Clusters.Select(c => c.Members.Select(m => m.Version.Adapter).Order(StringComparer.Ordinal).ToList()).ToList();
        Assert.Equal([library.Except(family).Order(StringComparer.Ordinal).ToList(), family], clusters.OrderBy(c => c.Count));
        var near = snapshot.Clusters.Single(c => c.Members.Count == family.Count);
        Assert.All(near.Members, m => Assert.InRange(m.MedoidCosine, 0.3, 1.0001));
    }

    // All pages, small ones, so that continuations are followed.
    private static async Task<List<AdapterView>> ListAsync(StackApi owner, string route)
    {
        var (found, continuation) = (new List<AdapterView>(), (string?)null);
        do
        {
            var page = await owner.GetAsync<ListResponse<AdapterView>>($"{route}&limit=7{(continuation is null ? "" : $"&continuation={Uri.EscapeDataString(continuation)}")}");
            found.AddRange(page.Items);
            continuation = page.Continuation;
        }
        while (continuation is not null);
        return [.. found.OrderBy(a => a.Id, StringComparer.Ordinal)];
    }
}

using System.Diagnostics;
using Marketplace.Cli.Azurite;
using Marketplace.Core;
using Marketplace.Storage;

namespace Marketplace.Benchmarks;

/// <summary>Lists of adapters by the tags of their cards, which look at every row: 5,000 adapters of 50 accounts and one base model, on Azurite.</summary>
internal static class ListBenchmark
{
    private const int Adapters = 5_000;
    private const int Owners = 50;
    private const int Rounds = 9;

    public static async Task RunAsync()
    {
        var folder = Directory.CreateTempSubdirectory("marketplace-benchmark-").FullName;
        await using var azurite = await AzuriteProcess.StartAsync(Path.Combine(folder, "storage"));
        var storage = new MarketplaceStorage(new StorageOptions { ConnectionString = azurite.ConnectionString });
        await storage.CreateAllAsync();
        var now = DateTimeOffset.UtcNow;
        await Parallel.ForEachAsync(Enumerable.Range(0, Adapters), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, ct) =>
        {
            var summary = new AdapterSummary(
                16, 64, "BF16", 20_000_000, [], i % 2 == 0 ? "mit" : "apache-2.0", ["lora", i % 10 == 0 ? "sql" : "chat"], null,
                new CardSummary([i % 3 == 0 ? "en" : "de"], [$"org/set-{i % 100}"], "text-generation", ["org/base"]));
            await storage.Adapters.CreateAsync(
                new AdapterRecord(AdapterId.Parse($"owner{i % Owners}/adapter-{i:d5}"), false, true, "org/base", "org/base", new VersionPointer(1, new string('0', 40)), now, now, summary, default), ct);
        });

        foreach (var (name, query) in new (string, AdapterQuery)[]
        {
            ("first page of 50, no tag", new() { Limit = 50 }),
            ("first page of 50, one in ten has the tag", new() { Limit = 50, Tags = ["sql"] }),
            ("all of one tag in a hundred", new() { Limit = 50, Tags = ["dataset:org/set-7"] }),
            ("nothing found", new() { Limit = 50, Tags = ["none"] }),
            ("one account's, one in ten", new() { Limit = 50, Owner = "owner0", Tags = ["sql"] }),
        })
        {
            var times = new List<double>();
            var (pages, found) = (0, 0);
            for (var round = 0; round < Rounds; round++)
            {
                var started = Stopwatch.GetTimestamp();
                (pages, found, string? after) = (0, 0, null);
                do
                {
                    var page = (await storage.Adapters.ListAsync(query with { After = after }))!;
                    (pages, found, after) = (pages + 1, found + page.Items.Length, page.Continuation);
                }
                while (after is not null && found < query.Limit);
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }

            Console.WriteLine($"{name}: {times.Order().ElementAt(Rounds / 2):0} ms, {pages} requests, {found} found");
        }
    }
}

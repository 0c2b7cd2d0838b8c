using System.Text.RegularExpressions;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Scale;

/// <summary>
/// What the partitions of the tables get of a load, measured at the wire. The service serves about 2,000 rows a second from one partition, so the operations that
/// a publish costs a partition bound how many of them there can be; docs/scale.md has the numbers that are held here.
/// </summary>
public sealed partial class PartitionShareTests(AzuriteFixture azurite)
{
    private const int Owners = 6;
    private const int AdaptersOfEach = 4;
    private const int Bases = 2;
    private const int Publishes = Owners * AdaptersOfEach;

    [Fact]
    public async Task No_partition_takes_more_than_its_share_of_many_publishers()
    {
        await using var stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), new() { FunctionsThroughProxy = true });
        await stack.RunAsync(async () =>
        {
            var accounts = new List<StackApi>();
            for (var owner = 0; owner < Owners; owner++)
                accounts.Add(await stack.AccountAsync($"owner{owner}"));

            using var meter = new PartitionMeter(stack);
            await Task.WhenAll(accounts.Select(PublishAsync));
            Assert.Equal(0, meter.Unknown);
            Assert.Equal(Publishes, meter.QueueMessages);
            var uses = meter.Uses;
            Report(uses);

            // What belongs to nobody in particular: a constant for a process, however much is published.
            Assert.All(uses.Where(u => KindOf(u.Partition) == "common"), u => Assert.InRange(u.Operations, 1, 4));
            // A library is one base model's; what its partitions get grows with what is published for it alone.
            Assert.All(uses.Where(u => KindOf(u.Partition) == "base model"), u => Assert.InRange(u.Operations, 1, 6 * Publishes / Bases));
            // An account's partitions get what the account does.
            Assert.All(uses.Where(u => KindOf(u.Partition) == "account"), u => Assert.InRange(u.Operations, 1, 10 * AdaptersOfEach));
            // One adapter's versions, one file's uses: a publish each.
            Assert.All(uses.Where(u => KindOf(u.Partition) == "adapter"), u => Assert.InRange(u.Operations, 1, 12));
            // Spread by a digest or a random id: with 24 uploads over 256 partitions hardly any meet.
            Assert.InRange(uses.Count(u => u.Partition.Table == "uploads"), Publishes / 2, Publishes);
            Assert.All(uses.Where(u => u.Partition.Table == "contents"), u => Assert.InRange(u.Writes, 1, Publishes / Bases));
        });
    }

    /// <summary>Publishes as many adapters as each account does, looks at each and downloads a file.</summary>
    private static async Task PublishAsync(StackApi account, int owner)
    {
        for (var adapter = 0; adapter < AdaptersOfEach; adapter++)
        {
            var version = await account.PublishedAsync($"owner{owner}/a{adapter}", StackAdapters.Files(owner * 100 + adapter, $"bases/base-{owner % Bases}"));
            await account.GetAsync<AdapterView>($"/adapters/owner{owner}/a{adapter}");
            await account.DownloadAsync(version, "adapter_config.json");
        }
    }

    private static void Report(IReadOnlyList<PartitionUse> uses)
    {
        var output = TestContext.Current.TestOutputHelper!;
        // How often a publisher asks for the verdict follows from how long it takes.
        output.WriteLine($"{(double)uses.Where(u => u.Partition.Table is not ("keys" or "uploads")).Sum(u => u.Operations) / Publishes:0.0} operations for each publish, without keys and polls");
        foreach (var group in uses.GroupBy(u => (Kind: KindOf(u.Partition), u.Partition.Table)).OrderBy(g => g.Key.Kind, StringComparer.Ordinal))
            output.WriteLine($"{group.Key.Kind,-12} {group.Key.Table,-14} {group.Count(),4} partitions, busiest: {group.Max(u => u.Reads)} reads, {group.Max(u => u.Writes)} writes");
    }

    private static string KindOf(TablePartition partition) => partition.Table switch
    {
        "uploads" or "audit" or "contents" or "keys" => "spread",
        "descendants" => "adapter",
        _ when OfAdapter().IsMatch(partition.Key) => "adapter",
        _ when OfAccount().IsMatch(partition.Key) => "account",
        _ when OfBase().IsMatch(partition.Key) || partition.Key.StartsWith("*|", StringComparison.Ordinal) => "base model",
        _ => "common",
    };

    [GeneratedRegex(@"^owner\d\|a\d(\||$)")]
    private static partial Regex OfAdapter();

    [GeneratedRegex(@"(^|\|)owner\d$")]
    private static partial Regex OfAccount();

    [GeneratedRegex(@"bases\|base-\d$")]
    private static partial Regex OfBase();
}

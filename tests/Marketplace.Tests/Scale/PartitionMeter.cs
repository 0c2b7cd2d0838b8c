using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;
using Marketplace.Tests.Support;

namespace Marketplace.Tests.Scale;

/// <summary>A partition of a table.</summary>
internal readonly record struct TablePartition(string Table, string Key);

/// <summary>What a partition was asked: operations on rows as the service counts them, queries as one each.</summary>
internal sealed record PartitionUse(TablePartition Partition, int Reads, int Writes)
{
    public int Operations => Reads + Writes;
}

/// <summary>Counts the calls that go through a proxy to the table service, by partition.</summary>
internal sealed partial class PartitionMeter : IDisposable
{
    private readonly ConcurrentDictionary<TablePartition, (int Reads, int Writes)> uses = new();
    private readonly string prefix;
    private readonly IDisposable watch;
    private int unknown;
    private int queueMessages;

    public PartitionMeter(Stack stack)
    {
        prefix = "/" + stack.Namespace;
        watch = stack.Proxy.On(_ => true, call =>
        {
            Count(call);
            return Task.CompletedTask;
        });
    }

    /// <summary>Calls to tables whose partition could not be told, scans over partitions among them.</summary>
    public int Unknown => unknown;

    /// <summary>Messages sent to queues.</summary>
    public int QueueMessages => queueMessages;

    /// <summary>The partitions, those asked most first.</summary>
    public IReadOnlyList<PartitionUse> Uses =>
        [.. uses.Select(u => new PartitionUse(u.Key, u.Value.Reads, u.Value.Writes)).OrderByDescending(u => u.Operations).ThenBy(u => u.Partition.Key, StringComparer.Ordinal)];

    public void Dispose() => watch.Dispose();

    private void Count(StackStorageCall call)
    {
        if (call.Path.EndsWith("/messages", StringComparison.Ordinal) && call.Method == "POST")
        {
            Interlocked.Increment(ref queueMessages);
            return;
        }

        if (call.Path == "/$batch")
        {
            CountTransaction(call.Text);
            return;
        }

        if (!call.Path.StartsWith(prefix, StringComparison.Ordinal) || TablePath().Match(call.Path[prefix.Length..]) is not { Success: true } path)
            return;
        var table = path.Groups["table"].Value;
        var partition =
            path.Groups["key"] is { Success: true } key ? Uri.UnescapeDataString(key.Value).Replace("''", "'", StringComparison.Ordinal)
            : call.Method == "POST" ? JsonDocument.Parse(call.Text).RootElement.GetProperty("PartitionKey").GetString()
            : call.Filter is { } filter && OnePartition().Match(filter) is { Success: true } one ? one.Groups["key"].Value.Replace("''", "'", StringComparison.Ordinal)
            : null;
        if (partition is null)
            Interlocked.Increment(ref unknown);
        else
            uses.AddOrUpdate(new(table, partition), _ => Add((0, 0)), (_, sum) => Add(sum));

        (int, int) Add((int Reads, int Writes) sum) => call.Method == "GET" ? (sum.Reads + 1, sum.Writes) : (sum.Reads, sum.Writes + 1);
    }

    // All rows of a transaction are in one partition.
    private void CountTransaction(string text)
    {
        var rows = TransactionRow().Matches(text).Where(r => r.Groups["table"].Value.StartsWith(prefix[1..], StringComparison.Ordinal)).ToList();
        var key = KeyInAddress().Match(text) is { Success: true } address ? Uri.UnescapeDataString(address.Groups["key"].Value) : KeyInBody().Match(text) is { Success: true } body ? body.Groups["key"].Value : null;
        if (rows.Count == 0 || key is null)
            Interlocked.Increment(ref unknown);
        else
            uses.AddOrUpdate(new(rows[0].Groups["table"].Value[(prefix.Length - 1)..], key), _ => (0, rows.Count), (_, sum) => (sum.Reads, sum.Writes + rows.Count));
    }

    [GeneratedRegex(@"(?m)^(POST|PUT|PATCH|MERGE|DELETE) \S*/(?<table>[a-z0-9]+)[(? ]")]
    private static partial Regex TransactionRow();

    [GeneratedRegex("PartitionKey='(?<key>([^']|'')*)'")]
    private static partial Regex KeyInAddress();

    [GeneratedRegex("\"PartitionKey\":\"(?<key>[^\"]*)\"")]
    private static partial Regex KeyInBody();

    // A row, a query or an insertion; containers and queues have a dash after the prefix.
    [GeneratedRegex(@"^(?<table>[a-z]+)(\(PartitionKey='(?<key>([^']|'')*)',RowKey='([^']|'')*'\)|\(\))?$")]
    private static partial Regex TablePath();

    [GeneratedRegex("PartitionKey eq '(?<key>([^']|'')*)'")]
    private static partial Regex OnePartition();
}

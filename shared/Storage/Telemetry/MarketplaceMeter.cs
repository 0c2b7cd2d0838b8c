using System.Diagnostics.Metrics;

namespace Marketplace.Storage.Telemetry;

/// <summary>
/// Every instrument of ours. Attributes take few values (queues, kinds, codes): names of adapters, owners and ids are for traces and logs.
/// </summary>
public static class MarketplaceMeter
{
    /// <summary>The meter, for instruments that need a source of their own; before the others, which it makes.</summary>
    internal static readonly Meter Meter = new(MarketplaceActivity.Name, MarketplaceActivity.Version);

    private static readonly Counter<long> Published = Meter.CreateCounter<long>("marketplace.published.bytes", "By", "Bytes of the versions that were published.");
    private static readonly Counter<long> Downloaded = Meter.CreateCounter<long>("marketplace.downloaded.bytes", "By", "Bytes of the files whose addresses were signed for readers.");
    private static readonly Counter<long> Rejects = Meter.CreateCounter<long>("marketplace.rejects", "{issue}", "Codes of the errors for which uploads were refused, each once for an upload.");
    private static readonly Counter<long> Problems = Meter.CreateCounter<long>("marketplace.problems", "{answer}", "Refusals of the API.");
    private static readonly Counter<long> Poisoned = Meter.CreateCounter<long>("marketplace.messages.poisoned", "{message}", "Messages that failed too often, by the queue they came from.");

    private static readonly Histogram<double> QueueAge = Meter.CreateHistogram(
        "marketplace.queue.age", "s", "How long a message had waited when it was received.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000] });

    private static readonly Histogram<double> JobDuration = Meter.CreateHistogram(
        "marketplace.job.duration", "s", "How long an attempt at a job ran.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000] });

    /// <summary>A version was published.</summary>
    public static void OnPublished(VersionRecord version) => Published.Add(version.Files.Sum(f => f.Size));

    /// <summary>An address of so many bytes was signed.</summary>
    public static void OnDownload(long bytes) => Downloaded.Add(bytes);

    /// <summary>An upload was refused for these errors.</summary>
    public static void OnRejected(IEnumerable<string> codes)
    {
        foreach (var code in codes.Distinct())
            Rejects.Add(1, new KeyValuePair<string, object?>("code", code));
    }

    /// <summary>A request was refused.</summary>
    public static void OnProblem(string code, int status) =>
        Problems.Add(1, new KeyValuePair<string, object?>("code", code), new KeyValuePair<string, object?>("status", status));

    /// <summary>A message of this queue, as <see cref="QueueNames"/> has it, was received.</summary>
    public static void OnReceived(string queue, TimeSpan age) =>
        QueueAge.Record(Math.Max(0, age.TotalSeconds), new KeyValuePair<string, object?>("queue", queue));

    /// <summary>A message of this queue is given up.</summary>
    public static void OnPoisoned(string queue) => Poisoned.Add(1, new KeyValuePair<string, object?>("queue", queue));

    /// <summary>An attempt at a job is over.</summary>
    public static void OnJobEnded(JobKind kind, JobStatus outcome, TimeSpan duration) => JobDuration.Record(
        Math.Max(0, duration.TotalSeconds), new KeyValuePair<string, object?>("kind", Spelled(kind)), new KeyValuePair<string, object?>("outcome", Spelled(outcome)));

    /// <summary>A member of an enumeration as the API spells it.</summary>
    internal static string Spelled<T>(T value)
        where T : struct, Enum => Core.Api.ApiJson.Name(value);
}

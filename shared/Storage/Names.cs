using System.Text.RegularExpressions;

namespace Marketplace.Storage;

/// <summary>The queues and what their messages name.</summary>
public static class QueueNames
{
    /// <summary>Completed uploads, by upload id.</summary>
    public const string Validations = "validations";

    /// <summary>Jobs that the function app runs itself, by job id.</summary>
    public const string FunctionsJobs = "functions-jobs";

    /// <summary>Jobs for the kernels, by job id.</summary>
    public const string KernelJobs = "kernel-jobs";

    private const string PoisonEnding = "-poison";

    /// <summary>The queues that carry work.</summary>
    public static IReadOnlyList<string> All { get; } = [Validations, FunctionsJobs, KernelJobs];

    /// <summary>Where messages of <paramref name="queue"/> go after too many deliveries.</summary>
    public static string Poison(string queue) => queue + PoisonEnding;

    /// <summary>The queue of a kind of job: the kernels' for what needs libtorch.</summary>
    public static string Of(JobKind kind) =>
        kind is JobKind.Subtraction or JobKind.SubtractionBatch or JobKind.Clustering or JobKind.RouterExport ? FunctionsJobs : KernelJobs;

    internal static bool IsPoison(string queue) => queue.EndsWith(PoisonEnding, StringComparison.Ordinal);

    internal static string Healthy(string poison) => poison[..^PoisonEnding.Length];
}

/// <summary>Names of containers, queues and tables within a namespace.</summary>
internal sealed partial class Names
{
    private readonly string prefix;

    public Names(string prefix)
    {
        if (!PrefixRule().IsMatch(prefix))
            throw new ArgumentException($"'{prefix}' is not a storage namespace: at most 20 lower-case letters and digits, a letter first.", nameof(prefix));
        this.prefix = prefix;
    }

    public string Container(string name) => Dashed(name);

    public string Queue(string name) => Dashed(name);

    public string Table(string name) => prefix + name;

    private string Dashed(string name) => prefix.Length == 0 ? name : $"{prefix}-{name}";

    [GeneratedRegex("^([a-z][a-z0-9]{0,19})?$")]
    private static partial Regex PrefixRule();
}

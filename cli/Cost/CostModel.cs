namespace Marketplace.Cli.Cost;

/// <summary>One line of an estimate.</summary>
/// <param name="Service">Whose bill it is on.</param>
/// <param name="What">What is paid for.</param>
/// <param name="Price">Name of the price.</param>
/// <param name="Quantity">Units in a month.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Monthly">What they cost, after what is free.</param>
internal sealed record CostLine(string Service, string What, string Price, double Quantity, string Unit, double Monthly);

/// <summary>
/// What a deployment costs in a month of 30 days: one line for each meter, quantity × price ∕ per, after what is free. docs/operations.md has the same formulas in words; its constants are the ones here.
/// </summary>
internal static class CostModel
{
    private const double Days = 30;
    private const double DaySeconds = 86_400;

    // An adapter is two files; a publish writes each to staging and to content, and reports, statistics, prototypes, sketch beside them.
    private const double WritesPerUpload = 12;
    private const double ReadsPerUpload = 8;
    private const double ReadsPerDownload = 2;

    // Rows of a version: version, adapter, library, index entries, audit.
    private const double TableBytesPerVersion = 10_000;
    private const double TableOperationsPerRequest = 4;
    private const double TableOperationsPerUpload = 40;

    // A running job's row is looked at twice a second and a half.
    private const double TableOperationsPerJobSecond = 2.5;

    // What derived data adds to an adapter's bytes.
    private const double DerivedShare = 0.05;

    private static readonly (string Service, string What, string Price, Func<CostSize, double> Quantity)[] Lines =
    [
        ("Storage", "published bytes", "blob.capacity", s => s["adapters"] * s["versionsPerAdapter"] * s["adapterMegabytes"] / 1000 * (1 + DerivedShare)),
        ("Storage", "blob writes", "blob.writes", s => Days * (s["uploadsPerDay"] + s["mergesPerDay"] + s["functionJobsPerDay"]) * WritesPerUpload),
        ("Storage", "blob reads", "blob.reads", s => Days * (s["downloadsPerDay"] * ReadsPerDownload + s["uploadsPerDay"] * ReadsPerUpload)),
        ("Storage", "table rows", "table.capacity", s => s["adapters"] * s["versionsPerAdapter"] * TableBytesPerVersion / 1e9),
        ("Storage", "table operations", "table.operations", s => Days * (s["requestsPerDay"] * TableOperationsPerRequest + s["uploadsPerDay"] * TableOperationsPerUpload + (Busy(s) + FunctionJobs(s)) * TableOperationsPerJobSecond)),
        ("Storage", "queue operations", "queue.operations", s => Days * (DaySeconds * s["queuePollsPerSecond"] + 4 * Messages(s))),
        ("Bandwidth", "downloads", "bandwidth.egress", s => Days * s["downloadsPerDay"] * s["adapterMegabytes"] / 1000),
        ("Functions", "execution", "functions.memory", s => Days * (s["requestsPerDay"] * s["requestSeconds"] + s["uploadsPerDay"] * s["validationSeconds"] + FunctionJobs(s)) * s["functionsGigabytes"]),
        ("Functions", "executions", "functions.executions", s => Days * (s["requestsPerDay"] + s["uploadsPerDay"] + s["functionJobsPerDay"])),
        ("Functions", "always ready", "functions.ready", s => Days * DaySeconds * s["readyInstances"] * s["functionsGigabytes"]),
        ("Kernels", "GPU", "container.gpu", s => Days * Running(s) * s["kernelGpus"]),
        ("Kernels", "processors", "container.vcpu", s => Days * Running(s) * s["kernelVcpus"]),
        ("Kernels", "memory", "container.memory", s => Days * Running(s) * s["kernelGibibytes"]),
        ("Kernels", "registry", "registry.day", _ => Days),
        ("Monitoring", "logs, traces, metrics", "logs.ingestion", s => s["logGigabytes"]),
        ("Monitoring", "alerts", "alerts.rule", s => s["alertRules"]),
    ];

    /// <summary>The lines of a size, in the order of the services.</summary>
    public static IReadOnlyList<CostLine> Estimate(CostSize size, CostPrices prices, string file) =>
    [
        .. Lines.Select(line =>
        {
            if (!prices.Prices.TryGetValue(line.Price, out var price))
                throw new CliException("price-unknown", ExitCode.Refused, $"{file} has no price '{line.Price}', which {line.Service.ToLowerInvariant()} ({line.What}) is counted with.");
            var quantity = line.Quantity(size);
            return new CostLine(line.Service, line.What, line.Price, quantity, price.Unit, Math.Max(0, quantity - price.Free) * price.Price / price.Per);
        }),
    ];

    // Seconds a day that kernels compute.
    private static double Busy(CostSize s) => s["mergesPerDay"] * s["mergeSeconds"] + s["evaluationsPerDay"] * s["evaluationSeconds"];

    // Seconds a day that replicas are there: while they compute, start, and wait for more.
    private static double Running(CostSize s) => Busy(s) + s["kernelStartsPerDay"] * (s["kernelStartSeconds"] + s["kernelCooldownSeconds"]);

    private static double FunctionJobs(CostSize s) => s["functionJobsPerDay"] * s["functionJobSeconds"];

    private static double Messages(CostSize s) => s["uploadsPerDay"] + s["mergesPerDay"] + s["evaluationsPerDay"] + s["functionJobsPerDay"];
}

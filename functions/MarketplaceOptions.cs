using System.ComponentModel.DataAnnotations;

namespace Marketplace.Functions;

/// <summary>Settings of the function app, from the configuration section <c>Marketplace</c>.</summary>
public sealed class MarketplaceOptions
{
    /// <summary>Token of the first admin key; the host makes sure that it exists, and ends the one that was set before it. Secret.</summary>
    public string? AdminKey { get; init; }

    /// <summary>
    /// Object id of the first admin's identity, so that none needs a key: the host sees that it is bound to an account. Its tokens need the role of an admin besides. No secret.
    /// </summary>
    [RegularExpression("(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    public string? AdminIdentity { get; init; }

    /// <summary>When <c>Sweep</c> runs: seconds, minutes, hours, day, month, weekday.</summary>
    [Required]
    public string SweepSchedule { get; init; } = "0 15 * * * *";

    /// <summary>When <c>Recluster</c> runs.</summary>
    [Required]
    public string ReclusterSchedule { get; init; } = "0 0 3 * * *";

    /// <summary>When <c>RecountUsage</c> runs.</summary>
    [Required]
    public string RecountSchedule { get; init; } = "0 30 4 * * *";

    /// <summary>Whether <c>Recluster</c> clusters by flattened factors too, as published, and not by ΔW alone.</summary>
    public bool ReclusterFlatAb { get; init; }

    /// <summary>
    /// Version of the numerics and device kind of the kernels that this deployment runs. It is part of every job's id, because results are the
    /// same to the byte only for the same kernels.
    /// </summary>
    [Required]
    public string Kernel { get; init; } = "2 cpu";

    /// <summary>Files an upload may have.</summary>
    [Range(1, 500)]
    public int MaxFiles { get; init; } = 100;

    /// <summary>Bytes a file of an upload may have.</summary>
    [Range(1, long.MaxValue)]
    public long MaxFileBytes { get; init; } = 8L << 30;

    /// <summary>Jobs that an owner may have waiting or running.</summary>
    [Range(1, 100_000)]
    public int MaxActiveJobs { get; init; } = 200;

    /// <summary>Members of a library up to which exact similarities are computed; larger ones are compared by their sketches.</summary>
    [Range(2, 10_000)]
    public int MaxExactLibrary { get; init; } = 256;

    /// <summary>The cosine of ΔW from which on an adapter is another one's copy: publishers are warned, and novelty says "reuse".</summary>
    [Range(0.5, 1)]
    public double ReuseCosine { get; init; } = 0.99;

    /// <summary>Members of a library up to which a diverse subset is chosen on request, from sketches.</summary>
    [Range(2, 100_000)]
    public int MaxDiverseLibrary { get; init; } = 20_000;

    /// <summary>Bytes of weights up to which adapters are compared on request.</summary>
    [Range(1, long.MaxValue)]
    public long MaxComparedBytes { get; init; } = 1L << 30;

    /// <summary>Multiplications up to which adapters are compared on request; they grow with the cube of the ranks that meet in a module.</summary>
    [Range(1, double.MaxValue)]
    public double MaxComparedWork { get; init; } = 20e9;

    /// <summary>Bytes of prototypes up to which a router is made.</summary>
    [Range(1, long.MaxValue)]
    public long MaxRouterBytes { get; init; } = 512L << 20;

    /// <summary>Multiplications up to which tokens are routed on request.</summary>
    [Range(1, double.MaxValue)]
    public double MaxRoutedWork { get; init; } = 20e9;

    /// <summary>Coefficients that an answer about tokens may have.</summary>
    [Range(1, int.MaxValue)]
    public int MaxRoutedCoefficients { get; init; } = 500_000;

    /// <summary>How long the address of a download works.</summary>
    public TimeSpan DownloadLifetime { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How long one connection to a job's events is kept; front ends of the platform cut at 230 s.</summary>
    public TimeSpan EventStreamLifetime { get; init; } = TimeSpan.FromSeconds(200);

    /// <summary>Bytes a file sent inside a commit of the Hub's protocol may have; see docs/hub.md for who sends how much this way.</summary>
    [Range(1 << 20, 1L << 30)]
    public long HubInlineBytes { get; init; } = 256L << 20;

    /// <summary>Bytes of all files of a commit up to which it is validated while its client waits; larger ones go through the queue.</summary>
    [Range(0, long.MaxValue)]
    public long HubValidatedBytes { get; init; } = 64L << 20;

    /// <summary>How long a commit waits for the verdict of a validation from the queue, and for the commit before it.</summary>
    public TimeSpan HubCommitWait { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Bytes up to which a file is sent by the service itself and not by storage.</summary>
    [Range(0, 64 << 20)]
    public int HubStreamedBytes { get; init; } = 256 << 10;

    /// <summary>Repositories that have no version, or something committed beyond it, that an account may have.</summary>
    [Range(1, 1_000_000)]
    public int HubRepositories { get; init; } = 1_000;

    /// <summary>Bytes that a body with a commit may have: base64 takes four bytes for three.</summary>
    internal long HubCommitBytes => (HubInlineBytes / 3 * 4) + (64L << 20);
}

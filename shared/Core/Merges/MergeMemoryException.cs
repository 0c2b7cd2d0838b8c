namespace Marketplace.Core.Merges;

/// <summary>A module of a merge needs more memory than whoever computes it may use.</summary>
public sealed class MergeMemoryException(ModuleEstimate module, long limit) : Exception(
    $"{module.Module} needs about {Mebibytes(module.PeakBytes)} MiB ({module.Path}), and {Mebibytes(limit)} MiB may be used. A fixed, smaller rank needs less.")
{
    /// <summary>The module.</summary>
    public ModuleEstimate Module { get; } = module;

    /// <summary>Bytes that may be used.</summary>
    public long Limit { get; } = limit;

    private static long Mebibytes(long bytes) => (bytes + (1 << 20) - 1) >> 20;
}

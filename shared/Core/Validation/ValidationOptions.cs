namespace Marketplace.Core.Validation;

/// <summary>Bounds on what is validated at all; beyond them stands <see cref="IssueCodes.LimitExceeded"/>.</summary>
/// <param name="Files">Most files.</param>
/// <param name="FileBytes">Most bytes in a file.</param>
/// <param name="ConfigBytes">Most bytes in adapter_config.json.</param>
/// <param name="Rank">Highest rank.</param>
/// <param name="IssuesPerCode">Most issues reported with one code; the last one then says how many more there are.</param>
public sealed record ValidationLimits(
    int Files = 200, long FileBytes = 16L << 30, int ConfigBytes = 4 << 20, int Rank = 4096, int IssuesPerCode = 200)
{
    /// <summary>The limits used where none are given.</summary>
    public static ValidationLimits Default { get; } = new();
}

/// <summary>What a validation does beside its checks.</summary>
/// <param name="GitHashes">Whether to compute git's SHA-1 of every file, on another thread.</param>
/// <param name="Norms">Whether to compute the norm of each module's ΔW.</param>
/// <param name="Limits">Bounds; the default ones where null.</param>
public sealed record ValidationOptions(bool GitHashes = true, bool Norms = true, ValidationLimits? Limits = null);

using System.Collections.Immutable;

namespace Marketplace.Core.Merges;

/// <summary>What became of one module.</summary>
/// <param name="Module">Its name.</param>
/// <param name="RankIn">Sum of the ranks that went in.</param>
/// <param name="RankOut">Rank of the result.</param>
/// <param name="Norm">|ΔW| of the merge before it was recompressed.</param>
/// <param name="DiscardedNorm">|ΔW − result|.</param>
/// <param name="MissingIn">Indices of the inputs that lack the module; they counted as zero.</param>
public sealed record ModuleReport(string Module, int RankIn, int RankOut, double Norm, double DiscardedNorm, ImmutableArray<int> MissingIn)
{
    /// <summary>For each adapter what it has to do with the module; null for one that lacks it.</summary>
    public ImmutableArray<ParentContribution?> Parents { get; init; } = [];

    /// <summary>The largest share of |ΔW| that a nested merge discarded.</summary>
    public double NestedDiscarded { get; init; }

    /// <summary>The largest crosstalk of two adapters, where a method is meant for adapters that have none; null elsewhere. See <see cref="Merges.Crosstalk"/>.</summary>
    public double? Crosstalk { get; init; }

    /// <summary>How much of the target was general, where the last merge of the recipe subtracts general knowledge; null elsewhere.</summary>
    public GeneralKnowledge? General { get; init; }

    /// <summary>Seconds that the module took; null where nobody measured.</summary>
    public double? Seconds { get; init; }

    /// <summary>The share of |ΔW|² that was discarded.</summary>
    public double DiscardedEnergy => Norm == 0 ? 0 : DiscardedNorm / Norm * (DiscardedNorm / Norm);
}

/// <summary>What became of all modules, and what could not take part.</summary>
/// <param name="Modules">One report per module, in ordinal order.</param>
/// <param name="NotMerged">For each input, the tensors that are no LoRA factors and so have no place in the result.</param>
public sealed record MergeReport(ImmutableArray<ModuleReport> Modules, ImmutableArray<ImmutableArray<string>> NotMerged)
{
    /// <summary>|ΔW| of the merge before it was recompressed, over all modules.</summary>
    public double Norm => Root(m => m.Norm);

    /// <summary>|ΔW − result| over all modules.</summary>
    public double DiscardedNorm => Root(m => m.DiscardedNorm);

    /// <summary>√(Σ discarded² ∕ Σ total²).</summary>
    public double RelativeDiscarded => Norm == 0 ? 0 : DiscardedNorm / Norm;

    /// <summary>The largest rank of any module.</summary>
    public int MaxRank => Modules.Max(m => m.RankOut);

    /// <summary>How much of the target was general, over all modules; null where no general knowledge was subtracted.</summary>
    public GeneralKnowledge? General => Modules.Select(m => m.General).OfType<GeneralKnowledge>().ToList() is { Count: > 0 } general ? GeneralKnowledge.Total(general) : null;

    private double Root(Func<ModuleReport, double> norm) => Math.Sqrt(Modules.Sum(m => norm(m) * norm(m)));
}

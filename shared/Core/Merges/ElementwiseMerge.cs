namespace Marketplace.Core.Merges;

/// <summary>Which entries of each input's ΔW are kept before they are combined. p is the density, N the number of entries.</summary>
public enum Sparsifier
{
    /// <summary>All, whatever the density.</summary>
    None,

    /// <summary>The ⌊p·N⌋ largest by magnitude, the first of equals in row order.</summary>
    Magnitude,

    /// <summary>Each with probability p (DARE).</summary>
    Random,

    /// <summary>
    /// Without the ⌊γ·N⌋ largest, and of the rest the ⌊p·N⌋ largest; where fewer would remain, fewer of the largest are left out (Model Breadcrumbs).
    /// </summary>
    Outliers,

    /// <summary>
    /// Each with a probability that rises with its rank by magnitude within its row, from p − ε to p + ε; among equals the first ranks lowest, and in a row of
    /// one entry the probability is p + ε (DELLA).
    /// </summary>
    RankedRandom,
}

/// <summary>How kept entries make up for dropped ones.</summary>
public enum Rescaling
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Each divided by its probability of being kept, so that the expectation is the original; where no chance decides, nothing is rescaled.</summary>
    Unbiased,

    /// <summary>All multiplied so that Σ|xᵢ| is what it was (mergekit); not if all were dropped.</summary>
    L1,
}

/// <summary>How the sparsified ΔW of all inputs become one.</summary>
public enum Combination
{
    /// <summary>Σ wₑ·xₑ.</summary>
    Sum,

    /// <summary>For each entry a sign is elected, and the inputs that agree with it are averaged (TIES).</summary>
    Ties,

    /// <summary>
    /// Entries of largest variance, weights by energy, minority signs erased (SCE). The inputs' own weights are not looked at. Where no entry varies over the
    /// inputs there is nothing to select by, and all are kept.
    /// </summary>
    Sce,

    /// <summary>Entries that one input alone changes are kept whole, shared ones averaged over those that change them (RAM). Weights are not looked at.</summary>
    Ram,
}

/// <summary>What TIES divides the sum of agreeing entries by.</summary>
public enum TiesDivisor
{
    /// <summary>The sum of the agreeing inputs' weights (mergekit).</summary>
    Weights,

    /// <summary>Their number (the paper, PEFT).</summary>
    Count,

    /// <summary>Nothing.</summary>
    None,
}

/// <summary>An element-wise merge, as a value: what the reference and the kernels both carry out.</summary>
public sealed record ElementwiseMerge
{
    /// <summary>For SCE: the least that weighted values are divided by, since inputs of hardly any energy would otherwise count in full.</summary>
    public const double SmallestSceDivisor = 1e-6;

    /// <summary>Which entries are kept.</summary>
    public Sparsifier Sparsifier { get; init; }

    /// <summary>How kept entries make up for dropped ones.</summary>
    public Rescaling Rescaling { get; init; }

    /// <summary>How the inputs become one.</summary>
    public Combination Combination { get; init; }

    /// <summary>For <see cref="Combination.Sum"/>: whether to divide by Σ wₑ over all inputs, those of ΔW = 0 too.</summary>
    public bool Normalize { get; init; }

    /// <summary>For TIES: whether the sign is elected on wₑ·xₑ rather than on xₑ.</summary>
    public bool ElectWeighted { get; init; } = true;

    /// <summary>For TIES: whether inputs vote with ±1 rather than with their magnitude.</summary>
    public bool ElectByCount { get; init; }

    /// <summary>For TIES: whether a vote that ends in a draw elects + (libraries) rather than nothing (the paper).</summary>
    public bool DrawIsPositive { get; init; } = true;

    /// <summary>For TIES: what the sum of agreeing wₑ·xₑ is divided by; by nothing where that is zero.</summary>
    public TiesDivisor Divisor { get; init; }

    /// <summary>For SCE: of the entries that vary over the inputs, the share that is kept, those of largest variance; 1 keeps all entries.</summary>
    public double SelectTopK { get; init; } = 1;

    /// <summary>For RAM: magnitudes up to this count as unchanged.</summary>
    public double ChangedAbove { get; init; } = 1e-5;

    /// <summary>For RAM+: how strongly unique entries are raised, r; 0 for RAM.</summary>
    public double RaiseBy { get; init; }

    /// <summary>For RAM+: the largest ratio of shared to unique entries that counts, α.</summary>
    public double RaiseUpTo { get; init; } = 0.2;

    /// <summary>λ, the size of the result, applied last.</summary>
    public double Lambda { get; init; } = 1;
}

/// <summary>One input of an element-wise merge.</summary>
/// <param name="Delta">Its ΔW.</param>
/// <param name="Weight">wₑ.</param>
/// <param name="Density">p in (0, 1].</param>
/// <param name="Gamma">γ, for <see cref="Sparsifier.Outliers"/>.</param>
/// <param name="Epsilon">ε, for <see cref="Sparsifier.RankedRandom"/>.</param>
/// <param name="Threshold">
/// For <see cref="Sparsifier.Magnitude"/>: entries are kept whose magnitude, rounded to float32, is at least this, in place of a number that follows from the
/// density; for thresholds over all modules, which are float32 numbers.
/// </param>
/// <param name="Seed">The recipe's seed.</param>
/// <param name="Stream">Names the stream of random numbers: method, input's content and module.</param>
public sealed record ElementwiseInput(
    LowRankDelta Delta, double Weight, double Density = 1, double Gamma = 0, double Epsilon = 0, double? Threshold = null,
    ulong Seed = MergeRecipe.DefaultSeed, string Stream = "");

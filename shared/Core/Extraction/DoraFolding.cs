using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Extraction;

/// <summary>A module whose DoRA magnitudes were folded in.</summary>
/// <param name="Module">Its name.</param>
/// <param name="RankIn">Rank of its factors before.</param>
/// <param name="RankOut">Rank of the plain factors.</param>
/// <param name="Norm">|W′ − W₀|.</param>
/// <param name="DiscardedNorm">What truncation lost of it.</param>
public sealed record FoldedModule(string Module, int RankIn, int RankOut, double Norm, double DiscardedNorm);

/// <summary>A plain LoRA that stands for a DoRA adapter.</summary>
/// <param name="Adapter">Disposing it disposes the adapter it was made from.</param>
/// <param name="Modules">What became of each module that had magnitudes, in ordinal order.</param>
/// <param name="BaseDigest">SHA-256 of the weights W₀ that were used, as float64 rows of (out, in) in the order of the modules, in hexadecimal.</param>
public sealed record FoldedDora(Adapter Adapter, ImmutableArray<FoldedModule> Modules, string BaseDigest)
{
    /// <summary>Share of Σ |W′ − W₀|² that truncation lost.</summary>
    public double DiscardedEnergy => Modules.Sum(m => m.Norm * m.Norm) is > 0 and var total ? Modules.Sum(m => m.DiscardedNorm * m.DiscardedNorm) / total : 0;
}

/// <summary>
/// DoRA into plain LoRA, given the base weights: W′ = diag(m ∕ n)·(W₀ + s·B·A) with n the row norms of W₀ + s·B·A (arXiv 2402.09353), and
/// ΔW′ = W′ − W₀ = diag(d − 1)·W₀ + diag(d)·s·B·A with d = m ∕ n. The first term has the rank of W₀: ΔW′ is not low rank, and what truncation
/// loses is reported. A row where W₀ + s·B·A vanishes has no direction to scale and stays as it is (d = 1).
/// </summary>
public static class DoraFolding
{
    /// <summary>
    /// Ranks that are kept beyond the adapter's own where the caller does not say. On random adapters of rank 4 for layers of width 48, with magnitudes 20 to
    /// 24 % away from the norms, the own rank discards 17 to 18 % of the energy, 16 ranks more discard 2 to 5 %. On wide layers the tail is flatter: the report counts.
    /// </summary>
    public const int ExtraRank = 16;

    /// <summary>Folds every module that has magnitudes; the others stay as they are.</summary>
    /// <param name="adapter">An adapter with or without magnitudes.</param>
    /// <param name="weights">The base model that it was trained on.</param>
    /// <param name="policy">What is kept of ΔW′; the adapter's own rank and <see cref="ExtraRank"/> more if null.</param>
    /// <param name="folded">The result, if there are no problems.</param>
    /// <param name="problems">Every reason why not.</param>
    /// <param name="progress">Told the number of modules done and the name of the last one.</param>
    /// <param name="kernels">Who truncates ΔW′; the reference if null.</param>
    /// <param name="cancellation">Looked at between modules and between rounds of iteration.</param>
    /// <exception cref="NotFiniteNumberException">A weight, factor or magnitude is NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static bool TryFold(
        Adapter adapter, BaseWeights weights, RankPolicy? policy, [NotNullWhen(true)] out FoldedDora? folded, out ImmutableArray<WeightsProblem> problems,
        Action<int, string>? progress = null, IMergeKernels? kernels = null, CancellationToken cancellation = default)
    {
        folded = null;
        var found = new List<WeightsProblem>();
        var work = new List<(TargetModule Module, BaseWeight Weight)>();
        foreach (var module in adapter.Modules.Where(m => m.HasMagnitude))
        {
            if (module.Kind != ModuleKind.Linear)
                found.Add(new(WeightsProblem.ShapeMismatch, $"{module.Name} is no linear layer; magnitudes of other kinds can't be folded in.", module.Name));
            else if (weights.FindWeight(module, adapter.Config, out var problem) is { } weight)
                work.Add((module, weight));
            else
                found.Add(problem!);
        }

        problems = [.. found];
        if (!problems.IsEmpty)
            return false;
        var deltas = new Dictionary<string, LowRankDelta>(StringComparer.Ordinal);
        var reports = ImmutableArray.CreateBuilder<FoldedModule>(work.Count);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (module, weight) in work)
        {
            cancellation.ThrowIfCancellationRequested();
            var w0 = weights.Read(weight);
            for (var i = 0; i < w0.Rows; i++)
                hash.AppendData(MemoryMarshal.AsBytes(w0.Row(i)));
            var dense = Fold(w0, adapter.Delta(module.Name)!, adapter.Magnitude(module.Name)
                ?? throw new ArgumentException($"The source of {module.Name} does not give its magnitudes.", nameof(adapter)));
            var kept = policy ?? new RankPolicy(module.Rank + ExtraRank);
            var truncated = (kernels ?? ReferenceKernels.Instance).Truncate(dense, kept, module.Name, cancellation);
            deltas.Add(module.Name, truncated.Delta);
            reports.Add(new(module.Name, module.Rank, truncated.Delta.Rank, truncated.Norm, truncated.DiscardedNorm));
            progress?.Invoke(reports.Count, module.Name);
        }

        folded = new(Plain(adapter, deltas), reports.ToImmutable(), Convert.ToHexStringLower(hash.GetHashAndReset()));
        return true;
    }

    /// <summary>ΔW′ of shape (out, in) of one module.</summary>
    /// <param name="w0">W₀ (out, in).</param>
    /// <param name="delta">The factors, scaling inside B.</param>
    /// <param name="magnitude">m (out).</param>
    public static Matrix Fold(Matrix w0, LowRankDelta delta, double[] magnitude)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(magnitude.Length, w0.Rows);
        var norms = RowNorms(w0, delta);
        var result = new Matrix(w0.Rows, w0.Columns);
        for (var i = 0; i < w0.Rows; i++)
        {
            var d = norms[i] > 0 ? magnitude[i] / norms[i] : 1;
            MatrixMath.AddScaled(w0.Row(i), d - 1, result.Row(i));
            for (var k = 0; k < delta.Rank; k++)
                MatrixMath.AddScaled(delta.A.Row(k), d * delta.B[i, k], result.Row(i));
        }

        return result;
    }

    /// <summary>
    /// nᵢ = |row i of W₀ + B·A| without forming B·A: nᵢ² = |W₀ᵢ|² + 2·⟨(W₀Aᵀ)ᵢ, Bᵢ⟩ + Bᵢ·(A·Aᵀ)·Bᵢᵀ, in O(out·in·r).
    /// </summary>
    /// <param name="w0">W₀ (out, in).</param>
    /// <param name="delta">The factors, scaling inside B.</param>
    public static double[] RowNorms(Matrix w0, LowRankDelta delta)
    {
        var cross = MatrixMath.TimesTransposed(w0, delta.A); // (out, r)
        var square = MatrixMath.Times(delta.B, MatrixMath.TimesTransposed(delta.A, delta.A)); // (out, r)
        var norms = new double[w0.Rows];
        for (var i = 0; i < norms.Length; i++)
        {
            var own = TensorPrimitives.SumOfSquares<double>(w0.Row(i));
            var added = TensorPrimitives.Dot<double>(square.Row(i), delta.B.Row(i));
            var sum = own + (2 * TensorPrimitives.Dot<double>(cross.Row(i), delta.B.Row(i))) + added;
            // Where the two nearly cancel, the formula has lost its digits.
            norms[i] = sum > 1e-6 * (own + added) ? Math.Sqrt(sum) : Directly(w0.Row(i), delta, i);
        }

        return norms;
    }

    private static double Directly(Span<double> w0, LowRankDelta delta, int row)
    {
        var sum = w0.ToArray();
        for (var k = 0; k < delta.Rank; k++)
            MatrixMath.AddScaled(delta.A.Row(k), delta.B[row, k], sum);
        return TensorPrimitives.Norm<double>(sum);
    }

    private static Adapter Plain(Adapter adapter, Dictionary<string, LowRankDelta> deltas) => new(
        adapter.Config with { UseDora = false },
        adapter.Modules.Select(m => deltas.TryGetValue(m.Name, out var delta) ? m with { Rank = delta.Rank, Scaling = 1, HasMagnitude = false } : m),
        m => deltas.GetValueOrDefault(m.Name) ?? adapter.Delta(m.Name)!,
        adapter.Carried.Where(t => TensorName.Parse(t) is not { Part: TensorPart.Magnitude, Module: var module } || !deltas.ContainsKey(module)),
        adapter);
}

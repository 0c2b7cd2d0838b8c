using System.Numerics.Tensors;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>
/// ΔW of several adapters at one module, in a basis that they share: [B₁ … B_K] = Q·R and [A₁; …; A_K]ᵀ = P·T give ΔWᵢ = Q·Cᵢ·Pᵀ with
/// Cᵢ = Rᵢ·Tᵢᵀ (q, p), q and p at most Σ r. Inner products, distances and the spectrum of any sum are those of the small Cᵢ, so one QR of each stack
/// answers every question about every pair; Q and P are never formed.
/// </summary>
internal sealed class SharedCores
{
    private readonly Matrix[] left;  // Rᵢ (q, rᵢ)
    private readonly Matrix[] right; // Tᵢ (p, rᵢ)
    private readonly Matrix[] cores; // Cᵢ (q, p)
    private readonly double[] spectral; // |Aᵢ|₂
    private readonly LowRankDelta stack; // R·Tᵀ = Σ Cᵢ

    /// <summary>Factors the stacks of B and A.</summary>
    /// <param name="deltas">ΔW of one shape, at least one.</param>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    public SharedCores(IReadOnlyList<LowRankDelta> deltas)
    {
        var sum = Deltas.WeightedSum([.. deltas.Select(d => (1d, d))]);
        if (!MatrixMath.IsFinite(sum.A) || !MatrixMath.IsFinite(sum.B))
            throw new NotFiniteNumberException("The factors of a delta must be finite.");
        var r = new ThinQr(MatrixMath.Transpose(sum.B)).R;
        var t = new ThinQr(new Matrix(sum.A.Rows, sum.A.Columns, [.. sum.A.Values])).R;
        stack = new(r, MatrixMath.Transpose(t));
        var offsets = new int[deltas.Count];
        for (var i = 1; i < offsets.Length; i++)
            offsets[i] = offsets[i - 1] + deltas[i - 1].Rank;
        left = [.. deltas.Select((d, i) => Block(r, offsets[i], d.Rank))];
        right = [.. deltas.Select((d, i) => Block(t, offsets[i], d.Rank))];
        cores = [.. left.Zip(right, MatrixMath.TimesTransposed)];
        spectral = [.. right.Select(SpectralNorm)];
    }

    /// <summary>⟨ΔWᵢ, ΔWⱼ⟩.</summary>
    public double Inner(int i, int j) => TensorPrimitives.Dot<double>(cores[i].Values, cores[j].Values);

    /// <summary>|ΔWᵢ|.</summary>
    public double Norm(int i) => TensorPrimitives.Norm<double>(cores[i].Values);

    /// <summary>|ΔWᵢ − ΔWⱼ|, entry by entry: exact where the two nearly agree.</summary>
    public double Distance(int i, int j) => TensorPrimitives.Distance<double>(cores[i].Values, cores[j].Values);

    /// <summary>
    /// |AᵢAⱼᵀ|₂ ∕ (|Aᵢ|₂·|Aⱼ|₂) of the factors as they are stored (Orthogonal Adaptation, arXiv 2312.02432): 0 where the two adapters read
    /// orthogonal directions of the input, 1 where they share the strongest one. 0 if a factor vanishes. What <see cref="Merges.Crosstalk"/> computes from A, here from the QR that is there already.
    /// </summary>
    /// <param name="i">One adapter.</param>
    /// <param name="j">The other.</param>
    /// <param name="above">Values up to this one are of no interest, and may come out smaller than they are.</param>
    public double Crosstalk(int i, int j, double above)
    {
        var scale = spectral[i] * spectral[j];
        if (scale == 0)
            return 0;
        var product = MatrixMath.TransposedTimes(right[i], right[j]);
        // The Frobenius norm bounds the spectral one, and costs next to nothing.
        var bound = TensorPrimitives.Norm<double>(product.Values) / scale;
        return bound <= above ? 0 : Math.Min(1, SpectralNorm(product) / scale);
    }

    /// <summary>The decomposition of ΔWᵢ in the shared basis: its singular vectors have as many entries as the stacks have ranks.</summary>
    public LowRankSvd Svd(int i) => LowRankSvd.Of(new(left[i], MatrixMath.Transpose(right[i])));

    /// <summary>The singular values of Σ ΔWᵢ in descending order; those that are rounding noise are left out.</summary>
    public double[] SumSpectrum()
    {
        var svd = LowRankSvd.Of(stack);
        return [.. svd.S.TakeWhile(s => s > svd.Noise)];
    }

    private static double SpectralNorm(Matrix a) => JacobiSvd.Factor(a).S[0];

    private static Matrix Block(Matrix source, int column, int columns)
    {
        var block = new Matrix(source.Rows, columns);
        for (var i = 0; i < source.Rows; i++)
            source.Row(i).Slice(column, columns).CopyTo(block.Row(i));
        return block;
    }
}

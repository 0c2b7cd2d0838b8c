using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges;

/// <summary>
/// The dense linear algebra that merge methods are written in. Formulas are written once, against this; Core's <see cref="ReferenceKernels"/> is
/// plain float64 code, and the kernels' is libtorch. Both must agree to rounding, with signs made canonical where a decomposition leaves them open.
/// </summary>
public interface IMergeKernels
{
    /// <summary>a·b.</summary>
    Matrix Times(Matrix a, Matrix b);

    /// <summary>a·bᵀ.</summary>
    Matrix TimesTransposed(Matrix a, Matrix b);

    /// <summary>aᵀ·b.</summary>
    Matrix TransposedTimes(Matrix a, Matrix b);

    /// <summary>Reduced QR: a (m, n) = Q (m, k)·R (k, n), k = min(m, n), R's diagonal not negative.</summary>
    (Matrix Q, Matrix R) Qr(Matrix a);

    /// <summary>
    /// Reduced SVD: a (m, n) = U·diag(S)·Vt with Ut (q, m), Vt (q, n), q = min(m, n), S descending; in each row of Vt the entry of largest magnitude
    /// (the first of equals) is positive.
    /// </summary>
    /// <exception cref="NotFiniteNumberException">An entry is NaN or infinite.</exception>
    (Matrix Ut, double[] S, Matrix Vt) Svd(Matrix a);

    /// <summary>Eigenvalues in ascending order, and eigenvectors as rows, of a symmetric matrix (n, n); in each eigenvector the entry of largest magnitude is positive.</summary>
    (double[] Values, Matrix Vectors) SymmetricEigen(Matrix a);

    /// <summary>Gᵢⱼ = ⟨ΔWᵢ, ΔWⱼ⟩ of deltas of one shape, without forming them.</summary>
    Matrix Gram(IReadOnlyList<LowRankDelta> deltas);

    /// <summary>Rewrites B·A with the ranks that the policy keeps; without a policy only its norm is computed.</summary>
    /// <exception cref="NotFiniteNumberException">A factor that has to be recompressed holds NaN or infinity.</exception>
    Recompression Recompress(LowRankDelta delta, RankPolicy? policy);

    /// <summary>
    /// Counts the entries of ΔW by the bits of their magnitudes, rounded to float32 and without the sign: by the upper 16 bits, or by the lower 15 of those
    /// whose upper bits are <paramref name="upper"/>. From both, the k-th largest of all modules follows exactly; see <see cref="MergePrepass"/>.
    /// </summary>
    /// <param name="delta">B·A.</param>
    /// <param name="upper">The upper bits; null to count by them.</param>
    /// <param name="counts">2¹⁶ or 2¹⁵ numbers, which are added to.</param>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity; not every kernel looks.</exception>
    void CountMagnitudes(LowRankDelta delta, int? upper, long[] counts);

    /// <summary>Factors a dense matrix (out, in) with the ranks that the policy keeps, which should be few: the best of that rank, up to a small share of its energy.</summary>
    /// <param name="dense">The matrix.</param>
    /// <param name="policy">The ranks that are kept.</param>
    /// <param name="stream">Names the random start, so that equal matrices under one name give equal bits.</param>
    /// <param name="cancellation">Looked at now and then.</param>
    /// <exception cref="NotFiniteNumberException">An entry is NaN or infinite, or beyond the precision computed in.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Recompression Truncate(Matrix dense, RankPolicy policy, string stream, CancellationToken cancellation);

    /// <summary>Carries out an element-wise merge on the entries of ΔW and refactors the result.</summary>
    /// <param name="merge">What is done to the entries.</param>
    /// <param name="inputs">The inputs' deltas, of one shape.</param>
    /// <param name="policy">The ranks that are kept.</param>
    /// <param name="cancellation">Looked at between tiles.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Recompression Elementwise(ElementwiseMerge merge, IReadOnlyList<ElementwiseInput> inputs, RankPolicy policy, CancellationToken cancellation);
}

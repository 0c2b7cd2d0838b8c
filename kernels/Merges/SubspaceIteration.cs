using Marketplace.Core;
using Marketplace.Core.Algebra;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Merges;

/// <summary>
/// <see cref="Recompression"/> of a dense float32 matrix M (out, in). A few of its singular values come from block subspace iteration: a random block is
/// multiplied by M and Mᵀ in turn. The last few blocks are kept, orthonormal, and the best of what they all span is taken (block Krylov, restarted; Musco and
/// Musco, arXiv 1504.05477), which needs a third of the products; it is repeated from there until the captured energy no longer grows. The small matrix that
/// remains is decomposed in float64. All singular values come from the whole decomposition, where the policy needs them or the matrix is small.
/// </summary>
/// <remarks>Element-wise merges are not low rank, and their spectra are flat: there the energy converges long before the vectors do, and it is what counts.</remarks>
internal static class SubspaceIteration
{
    /// <summary>Up to this many rows or columns the whole decomposition is taken: it is exact, and takes less than a tenth of a second.</summary>
    public const int DirectUpTo = 512;

    private const ulong Seed = 0;
    private const int Depth = 4; // blocks that are kept
    private const int FewestCycles = 2; // of Depth multiplications by M and Mᵀ
    private const int MostCycles = 40;
    private const double Remaining = 1e-5; // share of the captured energy that may be missing when the iteration ends
    private const int FirstWidth = 64; // where the policy names no rank
    private const int Spare = 16; // columns of a block beyond those that are wanted
    private const int Tile = 1 << 20; // entries that are looked at together

    /// <summary>Factors M with as many ranks as the policy keeps.</summary>
    /// <param name="m">M, float32.</param>
    /// <param name="policy">What is kept.</param>
    /// <param name="device">Where M is.</param>
    /// <param name="stream">Names the random start.</param>
    /// <param name="noise">Singular values up to this are rounding noise of what M was made of.</param>
    /// <param name="cancellation">Looked at between iterations. The whole decomposition can't be interrupted.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Recompression Of(Tensor m, RankPolicy policy, KernelDevice device, string stream, double noise, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var shorter = (int)Math.Min(m.shape[0], m.shape[1]);
        var squared = Tiles(m).Sum(t => Squared(m.narrow(0, t.First, t.Count)));
        if (!double.IsFinite(squared))
            throw new NotFiniteNumberException("The singular values of a matrix that is not finite are undefined.");
        if (squared == 0)
            return new(Deltas.Zero((int)m.shape[0], (int)m.shape[1]), [], 0, 0);
        if (shorter > DirectUpTo && (policy.Rank ?? policy.Energy ?? policy.Tolerance) is not null)
        {
            var random = new Philox(Seed, stream);
            for (var width = policy.Rank is { } rank ? rank + Math.Max(Spare, rank / 4) : FirstWidth; 2 * Depth * width <= shorter; width *= 2)
            {
                using var inner = NewDisposeScope();
                var (u, s, v) = Iterate(m, Start(random, m.shape[1], width, m.device), policy.Rank ?? width - Spare, cancellation);
                if (Keep(policy, s, squared, Math.Max(noise, Rounding(m, s[0]))) is { } kept && (kept <= width - Spare || kept == policy.Rank))
                    return Finish(m, u, s, v, kept, Math.Sqrt(squared));
            }
        }

        cancellation.ThrowIfCancellationRequested();
        return Whole(m, policy, device, noise);
    }

    /// <summary>The distance from 1 to the next float32.</summary>
    public static double Precision { get; } = MathF.BitIncrement(1f) - 1;

    // U (out, w), S (w), V (in, w) of the part of M that the iteration has captured.
    private static (Tensor U, double[] S, Tensor V) Iterate(Tensor m, Tensor start, int wanted, CancellationToken cancellation)
    {
        var width = start.shape[1];
        var block = linalg.qr(m.mT.matmul(m.matmul(start))).Q; // (in, w)
        var (captured, grown) = (0d, 0d);
        for (var cycle = 1; ; cycle++)
        {
            using var scope = NewDisposeScope();
            var (basis, images) = Krylov(m, block, cancellation); // V (in, d·w) and M·V (out, d·w)
            var (q, r) = linalg.qr(images);
            var (left, singular, right) = linalg.svd(r.to(float64).cpu(), fullMatrices: false);
            var s = KernelDevice.DownloadVector(singular.narrow(0, 0, width));
            var v = basis.matmul(right.mT.narrow(1, 0, width).to(float32).to(m.device));

            // What is missing, if the growth goes on shrinking as it did.
            var energy = s.Take(wanted).Sum(x => x * x);
            var growth = Math.Max(0, energy - captured);
            var shrinking = grown > 0 ? growth / grown : 1;
            if (cycle == MostCycles || (cycle >= FewestCycles && growth * shrinking <= Remaining * energy * (1 - shrinking)) || growth == 0)
                return (q.matmul(left.narrow(1, 0, width).to(float32).to(m.device)).MoveToOuterDisposeScope(), s, v.MoveToOuterDisposeScope());
            (captured, grown) = (energy, growth);
            block.Dispose();
            block = v.MoveToOuterDisposeScope();
        }
    }

    // An orthonormal basis of what X, (MᵀM)X, (MᵀM)²X … span, and M times that basis.
    private static (Tensor Basis, Tensor Images) Krylov(Tensor m, Tensor block, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var (basis, images) = (block, new List<Tensor>());
        for (var depth = 1; ; depth++)
        {
            cancellation.ThrowIfCancellationRequested();
            images.Add(m.matmul(block));
            if (depth == Depth)
                return (basis.alias().MoveToOuterDisposeScope(), cat(images, 1).MoveToOuterDisposeScope());
            var next = m.mT.matmul(images[^1]);
            for (var twice = 0; twice < 2; twice++) // once leaves rounding errors where little is new
                next = next.Minus(basis.matmul(basis.mT.matmul(next)));
            // Where M has no more to give, what is left is rounding noise, in the basis as much as outside of it: once normalised, it is projected again.
            block = linalg.qr(next).Q;
            block = linalg.qr(block.Minus(basis.matmul(basis.mT.matmul(block)))).Q;
            basis = cat([basis, block], 1);
        }
    }

    // The rank that the policy keeps, where the leading singular values decide it; null where more of them are needed.
    private static int? Keep(RankPolicy policy, double[] s, double squared, double noise)
    {
        var floor = Math.Max(noise, s[0] * (policy.Tolerance ?? 0));
        var above = s.Count(x => x > floor);
        int? kept = above < s.Length ? above : null;
        if (policy.Energy is { } energy)
        {
            var sum = 0d;
            for (var k = 0; k < above; k++)
            {
                sum += s[k] * s[k];
                if (sum >= energy * squared)
                {
                    kept = k + 1;
                    break;
                }
            }
        }

        return policy.Rank is { } rank && rank <= above ? Math.Min(rank, kept ?? rank) : kept;
    }

    // What float32 leaves of nothing in singular values, largest S₁.
    private static double Rounding(Tensor m, double largest) => Precision * Math.Sqrt(Math.Max(m.shape[0], m.shape[1])) * largest;

    private static Recompression Finish(Tensor m, Tensor u, double[] s, Tensor v, int kept, double norm)
    {
        if (kept == 0)
            return new(Deltas.Zero((int)m.shape[0], (int)m.shape[1]), s, norm, norm);
        var (b, a) = Split(u.narrow(1, 0, kept), s, v.narrow(1, 0, kept).mT);

        // Entry by entry: |M|² − ΣS² would be rounding noise where little is discarded.
        var discarded = Tiles(m).Sum(t =>
        {
            using var scope = NewDisposeScope();
            return Squared(m.narrow(0, t.First, t.Count).Minus(b.narrow(0, t.First, t.Count).matmul(a)));
        });
        return new(new(KernelDevice.Download(b), KernelDevice.Download(a)), s, norm, Math.Sqrt(discarded));
    }

    private static Recompression Whole(Tensor m, RankPolicy policy, KernelDevice device, double noise)
    {
        using var scope = NewDisposeScope();
        var (u, singular, vt) = linalg.svd(device.ToPrecision(m), fullMatrices: false);
        var s = KernelDevice.DownloadVector(singular);
        var kept = policy.Keep(s, Math.Max(noise, Rounding(m, s[0])));
        var (norm, discarded) = (TorchRecompression.Root(s), TorchRecompression.Root(s.AsSpan(kept)));
        if (kept == 0)
            return new(Deltas.Zero((int)m.shape[0], (int)m.shape[1]), s, norm, discarded);
        var (b, a) = Split(u.narrow(1, 0, kept), s, vt.narrow(0, 0, kept));
        return new(new(KernelDevice.Download(b), KernelDevice.Download(a)), s, norm, discarded);
    }

    // B = U·√S and A = √S·Vt, each pair turned so that the entry of A's row that is largest in magnitude is positive.
    private static (Tensor B, Tensor A) Split(Tensor u, double[] s, Tensor vt)
    {
        var root = tensor(Array.ConvertAll(s[..(int)vt.shape[0]], Math.Sqrt)).to(vt.dtype).to(vt.device) * TorchKernels.Signs(vt).squeeze(1); // (k)
        return (u * root, vt * root.unsqueeze(1));
    }

    private static Tensor Start(Philox random, long rows, int width, Device device)
    {
        var values = new float[rows * width];
        for (var i = 0; i < values.Length; i++)
            values[i] = (int)random.NextUInt32(); // uniform, symmetric; the scale does not matter
        return tensor(values, [rows, width]).to(device);
    }

    private static IEnumerable<(long First, long Count)> Tiles(Tensor m)
    {
        var height = Math.Max(1, Tile / m.shape[1]);
        for (var first = 0L; first < m.shape[0]; first += height)
            yield return (first, Math.Min(height, m.shape[0] - first));
    }

    private static double Squared(Tensor tile)
    {
        using var scope = NewDisposeScope();
        return (tile * tile).sum(float64).Only<double>();
    }
}

using Marketplace.Core;
using Marketplace.Core.Algebra;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Merges;

/// <summary>
/// <see cref="Recompression"/> of a dense float32 matrix M (out, in). A few of its singular values come from block subspace iteration: the block is multiplied
/// by M and by Mᵀ in turn and made orthonormal, until the energy that it captures no longer grows; the small matrix that remains is decomposed in float64.
/// All of them come from the whole decomposition, where the policy needs them or the matrix is small.
/// </summary>
/// <remarks>Element-wise merges are not low rank, and their spectra are flat: there the energy converges long before the vectors do, and it is what counts.</remarks>
internal static class SubspaceIteration
{
    /// <summary>Up to this many rows or columns the whole decomposition is taken: it is exact, and takes less than a tenth of a second.</summary>
    public const int DirectUpTo = 512;

    private const int FewestIterations = 8;
    private const int MostIterations = 60;
    private const double Growth = 1e-5; // of the captured energy in one iteration, at which it counts as converged
    private const int FirstWidth = 64; // where the policy names no rank
    private const int Spare = 16; // columns of the block beyond those that are wanted
    private const int WholeFrom = 4; // blocks wider than a quarter of the matrix cost more than the whole decomposition
    private const int Tile = 1 << 22; // entries that are looked at together

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
        noise = Math.Max(noise, Precision * Math.Sqrt(Math.Max(m.shape[0], m.shape[1]) * squared / shorter));
        if (shorter > DirectUpTo && (policy.Rank ?? policy.Energy ?? policy.Tolerance) is not null)
        {
            var random = new Philox(MergeSeed, stream);
            for (var width = policy.Rank is { } rank ? rank + Math.Max(Spare, rank / 2) : FirstWidth; width <= shorter / WholeFrom; width *= 2)
            {
                using var inner = NewDisposeScope();
                var wanted = policy.Rank ?? width - Spare;
                var (u, s, v) = Iterate(m, Start(random, m.shape[1], width, m.device), wanted, cancellation);
                if (Keep(policy, s, squared, noise) is { } kept && (kept <= width - Spare || kept == policy.Rank))
                    return Finish(m, u, s, v, kept, Math.Sqrt(squared));
            }
        }

        cancellation.ThrowIfCancellationRequested();
        return Whole(m, policy, device, noise);
    }

    private const ulong MergeSeed = 0;

    /// <summary>The distance from 1 to the next float32.</summary>
    public static double Precision { get; } = MathF.BitIncrement(1f) - 1;

    // U (out, w), S (w), V (in, w) of the part of M that the block has captured.
    private static (Tensor U, double[] S, Tensor V) Iterate(Tensor m, Tensor start, int wanted, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var q = linalg.qr(m.matmul(start)).Q; // (out, w)
        var captured = 0d;
        for (var iteration = 1; ; iteration++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var (qz, rz) = linalg.qr(m.mT.matmul(q)); // MᵀQ = Qz·Rz, (in, w) and (w, w)
            var (left, singular, right) = linalg.svd(rz.to(float64).cpu(), fullMatrices: false);
            var s = KernelDevice.DownloadVector(singular);
            var energy = s.Take(wanted).Sum(x => x * x);
            if (iteration == MostIterations || (iteration >= FewestIterations && energy - captured <= Growth * energy))
            {
                // M ≈ Q·Qᵀ·M = Q·(Qz·L·S·Rᵀ)ᵀ.
                var u = q.matmul(right.mT.to(float32).to(q.device));
                var v = qz.matmul(left.to(float32).to(q.device));
                return (u.MoveToOuterDisposeScope().MoveToOuterDisposeScope(), s, v.MoveToOuterDisposeScope().MoveToOuterDisposeScope());
            }

            captured = energy;
            q.Dispose();
            q = linalg.qr(m.matmul(qz)).Q.MoveToOuterDisposeScope();
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

    private static Recompression Finish(Tensor m, Tensor u, double[] s, Tensor v, int kept, double norm)
    {
        if (kept == 0)
            return new(Deltas.Zero((int)m.shape[0], (int)m.shape[1]), s, norm, norm);
        var (b, a) = Split(u.narrow(1, 0, kept), s, v.narrow(1, 0, kept).mT);

        // Entry by entry: |M|² − ΣS² would be rounding noise where little is discarded.
        var discarded = Tiles(m).Sum(t =>
        {
            using var scope = NewDisposeScope();
            return Squared(m.narrow(0, t.First, t.Count) - b.narrow(0, t.First, t.Count).matmul(a));
        });
        return new(new(KernelDevice.Download(b), KernelDevice.Download(a)), s, norm, Math.Sqrt(discarded));
    }

    private static Recompression Whole(Tensor m, RankPolicy policy, KernelDevice device, double noise)
    {
        using var scope = NewDisposeScope();
        var (u, singular, vt) = linalg.svd(device.ToPrecision(m), fullMatrices: false);
        var s = KernelDevice.DownloadVector(singular);
        var kept = policy.Keep(s, noise);
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
        return tile.square().sum(float64).item<double>();
    }
}

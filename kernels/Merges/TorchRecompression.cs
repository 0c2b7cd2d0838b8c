using Marketplace.Core;
using Marketplace.Core.Algebra;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Merges;

/// <summary>
/// <see cref="Recompression"/> by libtorch: QR of both factors, SVD of the small core, signs made canonical, singular values split evenly.
/// </summary>
public static class TorchRecompression
{
    /// <summary>Recompresses B·A; without a policy only the norm is computed and the factors are returned as they are.</summary>
    /// <exception cref="NotFiniteNumberException">A factor that has to be recompressed holds NaN or infinity.</exception>
    public static Recompression Of(LowRankDelta delta, RankPolicy? policy, KernelDevice device)
    {
        KernelDevice.UseOneThread();
        using var scope = NewDisposeScope();
        var b = device.Upload(delta.B); // (out, r)
        var a = device.Upload(delta.A); // (r, in)
        if (policy is not null && !(IsFinite(b) && IsFinite(a)))
            throw new NotFiniteNumberException("The factors of a delta must be finite.");
        var (left, rb) = Triangular(b); // (p, r), p = min(out, r)
        var (right, ra) = Triangular(a.mT); // (q, r), q = min(in, r)
        var core = rb.matmul(ra.mT); // (p, q)
        if (policy is null)
            return new(delta, [], Norm(core), 0);

        var (u, singular, vt) = linalg.svd(core, fullMatrices: false);
        var s = KernelDevice.DownloadVector(singular);
        var kept = policy.Keep(s, Noise(delta, s, Norm(b) * Norm(a), device));
        var result = kept == 0 ? Deltas.Zero(delta.Out, delta.In) : Split(left, u, singular, vt, right, kept);
        return new(result, s, Root(s), Root(s.AsSpan(kept)));
    }

    // B = Qb·U·√S and A = √S·Vt·Qaᵀ, each pair turned so that the entry of A's row that is largest in magnitude is positive.
    private static LowRankDelta Split(Reflectors left, Tensor u, Tensor singular, Tensor vt, Reflectors right, int kept)
    {
        var root = singular.narrow(0, 0, kept).sqrt(); // (k)
        var v = right.Apply(vt.narrow(0, 0, kept).mT).mT; // (k, in)
        var signed = root * TorchKernels.Signs(v).squeeze(1);
        var b = left.Apply(u.narrow(1, 0, kept)) * signed; // (out, k)
        return new(KernelDevice.Download(b), KernelDevice.Download(v * signed.unsqueeze(1)));
    }

    // X (m, n) = Q·R with R (k, n), k = min(m, n). Q is not formed: of its columns only few combinations are needed.
    private static (Reflectors Q, Tensor R) Triangular(Tensor x)
    {
        var (packed, scales) = geqrf(x);
        var k = Math.Min(x.shape[0], x.shape[1]);
        return (new(packed.narrow(1, 0, k), scales), packed.narrow(0, 0, k).triu());
    }

    // Q (m, k) as LAPACK leaves it.
    private sealed record Reflectors(Tensor Packed, Tensor Scales)
    {
        // Q·X, for X (k, n).
        public Tensor Apply(Tensor x)
        {
            var padded = zeros(Packed.shape[0], x.shape[1], dtype: x.dtype, device: x.device);
            padded.narrow(0, 0, x.shape[0]).copy_(x);
            return ormqr(Packed, Scales, padded);
        }
    }

    /// <summary>Up to this, singular values are rounding noise: the rule of <see cref="LowRankSvd.Noise"/> in the device's precision.</summary>
    private static double Noise(LowRankDelta delta, double[] s, double factors, KernelDevice device) =>
        device.Epsilon * Math.Max(Math.Max(delta.Out, delta.In) * s[0], 32 * factors);

    internal static double Root(ReadOnlySpan<double> s)
    {
        var sum = 0d;
        for (var i = s.Length - 1; i >= 0; i--) // smallest first
            sum += s[i] * s[i];
        return Math.Sqrt(sum);
    }

    private static bool IsFinite(Tensor x) => x.isfinite().all().Only<bool>();

    private static double Norm(Tensor x) => linalg.norm(x).to(ScalarType.Float64).Only<double>();
}

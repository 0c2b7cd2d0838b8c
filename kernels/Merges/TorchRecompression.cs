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
        var (qb, rb) = linalg.qr(b); // (out, p), (p, r), p = min(out, r)
        var (qa, ra) = linalg.qr(a.mT); // (in, q), (q, r), q = min(in, r)
        var core = rb.matmul(ra.mT); // (p, q)
        if (policy is null)
            return new(delta, [], Norm(core), 0);

        var (u, singular, vt) = linalg.svd(core, fullMatrices: false);
        var s = KernelDevice.DownloadVector(singular);
        var kept = policy.Keep(s, Noise(delta, s, Norm(b) * Norm(a), device));
        var result = kept == 0 ? Deltas.Zero(delta.Out, delta.In) : Split(qb, u, singular, vt, qa, kept);
        return new(result, s, Root(s), Root(s.AsSpan(kept)));
    }

    // B = Qb·U·√S and A = √S·Vt·Qaᵀ, each pair turned so that the entry of A's row that is largest in magnitude is positive.
    private static LowRankDelta Split(Tensor qb, Tensor u, Tensor singular, Tensor vt, Tensor qa, int kept)
    {
        var root = singular.narrow(0, 0, kept).sqrt(); // (k)
        var v = vt.narrow(0, 0, kept).matmul(qa.mT); // (k, in)
        var largest = v.gather(1, v.abs().argmax(1, keepdim: true)); // (k, 1)
        var signed = root * largest.squeeze(1).sign();
        var b = qb.matmul(u.narrow(1, 0, kept)) * signed; // (out, k)
        var a = v * signed.unsqueeze(1);
        return new(KernelDevice.Download(b), KernelDevice.Download(a));
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

    private static bool IsFinite(Tensor x) => x.isfinite().all().item<bool>();

    private static double Norm(Tensor x) => linalg.norm(x).to(ScalarType.Float64).item<double>();
}

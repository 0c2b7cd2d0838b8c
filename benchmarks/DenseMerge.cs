using System.Diagnostics;
using System.Globalization;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Kernels;
using Marketplace.Kernels.Merges;
using static TorchSharp.torch;

namespace Marketplace.Benchmarks;

/// <summary>
/// One module both ways, on one thread: as this project merges, and the dense way, which is to form ΔW of every adapter in float32, merge those, and take the
/// whole SVD of the result.
/// </summary>
internal static class DenseMerge
{
    private const double Density = 0.2;
    private const int Fastest = 3;

    /// <summary>Measures and prints.</summary>
    /// <param name="width">Rows and columns of ΔW.</param>
    /// <param name="adapters">Number of adapters.</param>
    /// <param name="rank">Their rank, and that of the result.</param>
    public static void Print(int width, int adapters, int rank)
    {
        KernelDevice.UseOneThread();
        LowRankDelta[] deltas = [.. Enumerable.Range(0, adapters).Select(e => Draw(width, rank, e))];
        var kernels = new TorchKernels(KernelDevice.Cpu);
        var policy = new RankPolicy(rank);
        var linear = Time(Fastest, () => kernels.Recompress(Deltas.WeightedSum([.. deltas.Select(d => (1d / adapters, d))]), policy).Norm);
        var merge = new ElementwiseMerge { Sparsifier = Sparsifier.Magnitude, Combination = Combination.Ties };
        ElementwiseInput[] inputs = [.. deltas.Select((d, e) => new ElementwiseInput(d, 1d / adapters, Density, Stream: $"{e}"))];
        var ties = Time(Fastest, () => kernels.Elementwise(merge, inputs, policy, default).Norm);
        var denseLinear = Time(1, () => Linear(deltas, rank));
        var denseTies = Time(1, () => Ties(deltas, rank));
        Row("linear", linear, denseLinear);
        Row("ties, density 0.2", ties, denseTies);

        void Row(string method, double own, double dense) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"one module of {width}×{width}, {method}: {own:f3} s; dense {dense:f1} s; ratio {dense / own:f0}"));
    }

    private static double Linear(LowRankDelta[] deltas, int rank)
    {
        using var scope = NewDisposeScope();
        var sum = zeros(deltas[0].Out, deltas[0].In);
        foreach (var delta in deltas)
            sum.add_(Dense(delta), alpha: 1d / deltas.Length);
        return Truncated(sum, rank);
    }

    private static double Ties(LowRankDelta[] deltas, int rank)
    {
        using var scope = NewDisposeScope();
        var tasks = stack(deltas.Select(delta =>
        {
            using var inner = NewDisposeScope();
            var flat = Dense(delta).flatten();
            var kept = flat.abs().topk((int)(Density * flat.numel()), sorted: false).indexes;
            return zeros_like(flat).scatter_(0, kept, flat.gather(0, kept)).reshape(delta.Out, delta.In).MoveToOuterDisposeScope();
        }));
        var elected = (tasks.sum([0L]) >= 0).to(float32) * 2 - 1;
        var agree = (tasks.sign() == elected).to(float32);
        var merged = (tasks * agree).sum([0L]) / agree.sum([0L]).clamp_min(1);
        return Truncated(merged, rank);
    }

    private static double Truncated(Tensor merged, int rank)
    {
        var (_, s, _) = linalg.svd(merged, fullMatrices: false);
        return s.narrow(0, 0, rank).square().sum().item<float>();
    }

    private static Tensor Dense(LowRankDelta delta) => KernelDevice.Cpu.UploadSingle(delta.B).matmul(KernelDevice.Cpu.UploadSingle(delta.A));

    private static LowRankDelta Draw(int width, int rank, int seed)
    {
        var random = new Philox((ulong)seed, "benchmark");
        var (b, a) = (new Matrix(width, rank), new Matrix(rank, width));
        foreach (var matrix in new[] { b, a })
        {
            for (var i = 0; i < matrix.Values.Length; i++)
                matrix.Values[i] = random.NextDouble() - 0.5;
        }

        return new(b, a);
    }

    private static double Time(int times, Func<double> work)
    {
        var best = double.MaxValue;
        for (var i = 0; i < times; i++)
        {
            var started = Stopwatch.GetTimestamp();
            GC.KeepAlive(work());
            best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return best;
    }
}

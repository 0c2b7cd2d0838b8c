using System.Diagnostics;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Benchmarks;

/// <summary>What this machine can do at most, which merges are compared with: matrix products on one thread, and reading files.</summary>
internal static class MergeFloor
{
    private const int Repetitions = 5;

    /// <summary>Measures and prints the rates.</summary>
    /// <param name="files">Files to read.</param>
    public static void Print(IReadOnlyList<string> files)
    {
        set_num_threads(1);
        using var scope = NewDisposeScope();
        var square = randn(2048, 2048, dtype: float64);
        var tall = randn(4096, 128, dtype: float64);
        var (large, block) = (randn(4096, 4096), randn(4096, 32));
        var (rows, wide) = (randn(32, 16), randn(16, 4096));
        Rate("float64 product 2048³", 2 * Math.Pow(2048, 3), () => square.matmul(square));
        Rate("float64 QR 4096×128", 2d * 4096 * 128 * 128, () => geqrf(tall).a);
        Rate("float32 product 4096×4096 by 4096×32", 2d * 4096 * 4096 * 32, () => large.matmul(block));
        Rate("float32 tile 32×16 by 16×4096", 2d * 32 * 16 * 4096, () => rows.matmul(wide));
        var bytes = files.Sum(f => new FileInfo(f).Length);
        var buffer = new byte[1 << 20];
        var seconds = Fastest(() =>
        {
            foreach (var file in files)
            {
                using var stream = File.OpenHandle(file);
                for (var at = 0L; RandomAccess.Read(stream, buffer, at) is > 0 and var read; at += read)
                {
                }
            }
        });
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"reading {bytes >> 20} MiB of adapters, cached: {seconds:f2} s, {bytes / seconds / 1e9:f1} GB/s"));
    }

    /// <summary>
    /// Seconds that a merge's operations alone would take on all processors: float64 ones at the rate of products, float32 ones at that of a matrix by a block.
    /// </summary>
    /// <param name="flops">Floating-point operations.</param>
    /// <param name="dense">Whether they are those of dense float32 matrices.</param>
    public static double Seconds(double flops, bool dense)
    {
        set_num_threads(1);
        using var scope = NewDisposeScope();
        var (left, right) = dense ? (randn(4096, 4096), randn(4096, 32)) : (randn(2048, 2048, dtype: float64), randn(2048, 2048, dtype: float64));
        var once = 2d * left.shape[0] * left.shape[1] * right.shape[1];
        return flops / once * Fastest(() => left.matmul(right).Dispose()) / Environment.ProcessorCount;
    }

    private static void Rate(string what, double flops, Func<Tensor> compute)
    {
        var calls = (int)Math.Max(1, 2e9 / flops);
        var seconds = Fastest(() =>
        {
            for (var i = 0; i < calls; i++)
                compute().Dispose();
        });
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}, one thread: {calls * flops / seconds / 1e9:f1} GFLOP/s"));
    }

    private static double Fastest(Action work)
    {
        var best = double.MaxValue;
        for (var i = 0; i < Repetitions; i++)
        {
            var started = Stopwatch.GetTimestamp();
            work();
            best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return best;
    }
}

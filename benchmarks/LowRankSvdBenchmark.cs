using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Engines;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Benchmarks;

/// <summary>
/// The SVD of ΔW = B·A from its factors (4096×4096, rank 128) against the SVD of ΔW itself by libtorch (LAPACK), both float64 on one
/// thread. Allocations are the managed ones; what libtorch allocates is not seen.
/// </summary>
[Config(typeof(Long))]
[MemoryDiagnoser]
public class LowRankSvdBenchmark
{
    private LowRankDelta delta = Deltas.Zero(1, 1);
    private Tensor dense = zeros(1);

    /// <summary>Rows and columns of ΔW.</summary>
    [Params(4096)]
    public int Size { get; set; }

    /// <summary>Rank of ΔW: several adapters of rank 16 or 32 together.</summary>
    [Params(128)]
    public int Rank { get; set; }

    /// <summary>Draws the factors and forms their product.</summary>
    [GlobalSetup]
    public void Draw()
    {
        set_num_threads(1);
        delta = Factors();
        dense = Product(delta);
    }

    /// <summary>From the factors.</summary>
    [Benchmark(Baseline = true)]
    public double FromFactors() => LowRankSvd.Of(delta).S[0];

    /// <summary>From ΔW; forming it is not counted.</summary>
    [Benchmark]
    public double Dense()
    {
        using var scope = NewDisposeScope();
        var (_, s, _) = linalg.svd(dense, fullMatrices: false);
        return s[0].item<double>();
    }

    private LowRankDelta Factors()
    {
        var random = new Philox(1, "benchmark");
        return new(Fill(new Matrix(Size, Rank), random), Fill(new Matrix(Rank, Size), random));
    }

    private static Matrix Fill(Matrix matrix, Philox random)
    {
        for (var i = 0; i < matrix.Values.Length; i++)
            matrix.Values[i] = random.NextDouble() - 0.5;
        return matrix;
    }

    private static Tensor Product(LowRankDelta factors)
    {
        using var scope = NewDisposeScope();
        return ToTensor(factors.B).matmul(ToTensor(factors.A)).MoveToOuterDisposeScope();
    }

    private static Tensor ToTensor(Matrix matrix) => tensor(matrix.Values, [matrix.Rows, matrix.Columns]);

    // In this process, where libtorch loads on every host (kernels/build), and with time for the dense decomposition, about a minute each.
    private sealed class Long : ManualConfig
    {
        public Long() => AddJob(Job.Default
            .WithToolchain(new InProcessEmitToolchain(TimeSpan.FromMinutes(30), logOutput: true))
            .WithStrategy(RunStrategy.Monitoring).WithWarmupCount(1).WithIterationCount(2));
    }
}

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
/// thread. The dense one takes minutes at 4096, so it runs at 1024 and 2048; its cost grows with the cube of the size (check: the
/// second takes about 8 times the first), which makes 4096 cost 8 times what 2048 does.
/// </summary>
[Config(typeof(Long))]
[MemoryDiagnoser]
public class LowRankSvdBenchmark
{
    private LowRankDelta delta = Deltas.Zero(1, 1);
    private Tensor dense1024 = zeros(1);
    private Tensor dense2048 = zeros(1);

    /// <summary>Rank of ΔW: several adapters of rank 16 or 32 together.</summary>
    [Params(128)]
    public int Rank { get; set; }

    /// <summary>Draws the factors.</summary>
    [GlobalSetup]
    public void Draw()
    {
        set_num_threads(1);
        delta = Factors(4096);
    }

    /// <summary>From the factors, 4096×4096.</summary>
    [Benchmark(Baseline = true)]
    public double FromFactors4096() => LowRankSvd.Of(delta).S[0];

    /// <summary>From ΔW, 1024×1024; forming it is not counted.</summary>
    [Benchmark]
    public double Dense1024() => DenseSvd(dense1024);

    /// <summary>From ΔW, 2048×2048; forming it is not counted.</summary>
    [Benchmark]
    public double Dense2048() => DenseSvd(dense2048);

    /// <summary>Forms the smaller products.</summary>
    [GlobalSetup(Targets = [nameof(Dense1024), nameof(Dense2048)])]
    public void Form()
    {
        set_num_threads(1);
        (dense1024, dense2048) = (Product(Factors(1024)), Product(Factors(2048)));
    }

    private LowRankDelta Factors(int size)
    {
        var random = new Philox(1, $"benchmark {size}");
        return new(Fill(new Matrix(size, Rank), random), Fill(new Matrix(Rank, size), random));
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

    // In this process, where libtorch loads on every host (kernels/build), and with time for the dense decompositions.
    private sealed class Long : ManualConfig
    {
        public Long() => AddJob(Job.Default
            .WithToolchain(new InProcessEmitToolchain(new InProcessEmitSettings { ExecutionTimeout = TimeSpan.FromMinutes(30) }))
            .WithStrategy(RunStrategy.Monitoring).WithWarmupCount(1).WithIterationCount(3));
    }

    private static double DenseSvd(Tensor matrix)
    {
        using var scope = NewDisposeScope();
        var (_, s, _) = linalg.svd(matrix, fullMatrices: false);
        return s[0].item<double>();
    }
}

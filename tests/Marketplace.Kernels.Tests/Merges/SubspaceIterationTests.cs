using Marketplace.Core.Algebra;
using Marketplace.Kernels.Merges;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Merges;

public class SubspaceIterationTests
{
    private const int Size = 768; // more than what is decomposed directly

    [Theory]
    [InlineData("noise", 8)]
    [InlineData("noise", 40)]
    [InlineData("sparse", 16)]
    [InlineData("decaying", 16)]
    public void The_rank_asked_for_captures_what_the_best_approximation_does(string kind, int rank)
    {
        using var scope = NewDisposeScope();
        var m = Draw(kind, Size, Size + 64);
        var result = Of(m, new(rank));
        var s = Exact(m);
        Assert.Equal(rank, result.Delta.Rank);
        Assert.Equal(Root(s), result.Norm, 1e-5 * result.Norm);
        for (var i = 0; i < rank; i++)
            Assert.InRange(result.S[i], s[i] * 0.995, s[i] * 1.00001);
        Assert.InRange(result.DiscardedNorm, Root(s[rank..]) * (1 - 1e-5), Root(s[rank..]) * (1 + 1e-4));
        Assert.Equal(result.DiscardedNorm, Distance(m, result), 1e-5 * result.Norm);
    }

    [Fact]
    public void A_tiny_remainder_is_measured_and_not_the_difference_of_two_norms()
    {
        using var scope = NewDisposeScope();
        var random = randn(Size, 4, dtype: float64).matmul(randn(4, Size, dtype: float64));
        var m = (random + (1e-5 * randn(Size, Size, dtype: float64))).to(float32);
        var result = Of(m, new(4));
        var expected = Root(Exact(m)[4..]); // about 1e-5 of the norm: of its square float32 would leave nothing
        Assert.InRange(expected / result.Norm, 1e-6, 2e-5);
        Assert.Equal(expected, result.DiscardedNorm, 0.05 * expected);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 8)]
    [InlineData(40, 16)]
    public void A_matrix_of_low_rank_leaves_nothing_that_is_not_there(int rank, int wanted)
    {
        using var scope = NewDisposeScope();
        var m = randn(Size, rank, dtype: float64).matmul(randn(rank, Size, dtype: float64)).to(float32);
        var result = Of(m, new(wanted));
        var s = Exact(m);
        Assert.Equal(Math.Min(rank, wanted), result.Delta.Rank);
        Assert.Equal(Root(s[result.Delta.Rank..]), result.DiscardedNorm, 1e-4 * result.Norm);
        Assert.Equal(result.DiscardedNorm, Distance(m, result), 1e-5 * result.Norm);
    }

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.6)]
    [InlineData(0.95)]
    public void The_fewest_ranks_that_hold_the_energy_are_kept(double energy)
    {
        using var scope = NewDisposeScope();
        var m = Draw("sparse", Size, Size);
        var result = Of(m, new(Energy: energy));
        var s = Exact(m);
        var needed = new RankPolicy(Energy: energy).Keep(s, 0);
        Assert.InRange(result.Delta.Rank, needed, needed + 1);
        Assert.InRange(1 - Math.Pow(result.DiscardedNorm / result.Norm, 2), energy * (1 - 1e-6), 1);
    }

    [Fact]
    public void Of_energy_and_rank_the_smaller_rank_wins()
    {
        using var scope = NewDisposeScope();
        var m = Draw("decaying", Size, Size);
        Assert.Equal(5, Of(m, new(5, 0.999)).Delta.Rank);
        Assert.InRange(Of(m, new(200, 0.5)).Delta.Rank, 1, 20);
    }

    [Fact]
    public void Without_a_limit_nothing_but_noise_is_lost()
    {
        using var scope = NewDisposeScope();
        var m = randn(Size, 30).matmul(randn(30, Size));
        var result = Of(m, RankPolicy.Lossless);
        Assert.Equal(30, result.Delta.Rank);
        Assert.InRange(Distance(m, result), 0, 1e-5 * result.Norm);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(Size)]
    public void A_matrix_of_zeros_becomes_zeros_of_rank_1(int size)
    {
        using var scope = NewDisposeScope();
        var result = Of(zeros(size, Size), new(2));
        Assert.Equal((1, 0d, 0d), (result.Delta.Rank, result.Norm, result.DiscardedNorm));
        Assert.All(result.Delta.B.Values, x => Assert.Equal(0, x));
    }

    [Fact]
    public void Less_than_the_rank_asked_for_is_kept_where_there_is_no_more()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(3, Of(randn(Size, 3).matmul(randn(3, Size)), new(16)).Delta.Rank);
    }

    [Fact]
    public void Signs_are_canonical_and_the_factors_balanced()
    {
        using var scope = NewDisposeScope();
        foreach (var size in new[] { 60, Size })
        {
            var result = Of(Draw("decaying", size, size + 30), new(5));
            for (var k = 0; k < 5; k++)
            {
                var row = result.Delta.A.Row(k).ToArray();
                Assert.True(row.MaxBy(Math.Abs) > 0);
                Assert.Equal(Math.Sqrt(result.S[k]), Math.Sqrt(row.Sum(x => x * x)), 1e-4 * result.S[k]);
            }
        }
    }

    [Fact]
    public void Cancelling_ends_the_iteration()
    {
        using var scope = NewDisposeScope();
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => SubspaceIteration.Of(Draw("noise", Size, Size), new(4), KernelDevice.Cpu, "q", 0, source.Token));
        Assert.Throws<OperationCanceledException>(() => SubspaceIteration.Of(Draw("noise", 40, 40), new(4), KernelDevice.Cpu, "q", 0, source.Token));
    }

    private static Recompression Of(Tensor m, RankPolicy policy)
    {
        KernelDevice.UseOneThread();
        return SubspaceIteration.Of(m, policy, KernelDevice.Cpu, "q", 0, TestContext.Current.CancellationToken);
    }

    private static Tensor Draw(string kind, int rows, int columns)
    {
        random.manual_seed(rows + columns);
        var noise = randn(rows, columns);
        return kind switch
        {
            "noise" => noise,
            "decaying" => randn(rows, 40).div_(arange(1, 41)).matmul(randn(40, columns)) + (0.01 * noise),
            _ => nn.functional.hardshrink(randn(rows, 96).matmul(randn(96, columns)), 12.5), // what TIES leaves of the largest fifth
        };
    }

    private static double[] Exact(Tensor m) => linalg.svdvals(m.to(float64)).data<double>().ToArray();

    private static double Root(double[] s) => Math.Sqrt(s.Sum(x => x * x));

    private static double Distance(Tensor m, Recompression result)
    {
        var difference = m.to(float64) - KernelDevice.Cpu.Upload(result.Delta.B).matmul(KernelDevice.Cpu.Upload(result.Delta.A));
        return linalg.norm(difference).item<double>();
    }
}

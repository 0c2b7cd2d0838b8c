using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Merges;

public class ElementwiseKernelTests
{
    // Two tiles, the second one cut short.
    private const int Rows = 410;
    private const int Columns = 450;

    private static readonly ElementwiseMerge[] All = [.. Specifications().Distinct()];

    public static TheoryData<int> Specs => [.. Enumerable.Range(0, All.Length)];

    [Theory]
    [MemberData(nameof(Specs))]
    public void Entries_are_those_of_the_reference_however_many_magnitudes_are_equal(int spec)
    {
        // Whole numbers: float32 holds them exactly, and hundreds lie at each threshold.
        var inputs = Inputs((random, rank) => new(Integers(random, Rows, rank), Integers(random, rank, Columns)));
        var (expected, actual) = Both(All[spec], inputs);
        var largest = expected.Values.Max(Math.Abs);
        for (var i = 0; i < expected.Values.Length; i++)
        {
            if (Math.Abs(expected.Values[i] - actual.Values[i]) > 2e-6 * largest)
                Assert.Fail($"{All[spec]}: entry {i} is {actual.Values[i]}, not {expected.Values[i]}.");
        }
    }

    [Theory]
    [MemberData(nameof(Specs))]
    public void Entries_are_those_of_the_reference_but_next_to_a_threshold(int spec)
    {
        var inputs = Inputs((random, rank) => new(Libraries.Gaussian(random, Rows, rank), Libraries.Gaussian(random, rank, Columns)));
        var (expected, actual) = Both(All[spec], inputs);
        var largest = expected.Values.Max(Math.Abs);
        var different = expected.Values.Zip(actual.Values).Count(p => Math.Abs(p.First - p.Second) > 1e-5 * largest);

        // A value lies within 1e-6 of a threshold, or a vote of zero, for about one entry in a million; a mask that slipped would change many.
        Assert.InRange(different, 0, 12);
    }

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.0001)]
    [InlineData(0.9999)]
    public void Exactly_as_many_entries_are_kept_as_the_density_says(double density)
    {
        var random = new Random(5);
        var delta = new LowRankDelta(Libraries.Gaussian(random, Rows, 3), Libraries.Gaussian(random, 3, Columns));
        var merged = Merge(new() { Sparsifier = Sparsifier.Magnitude }, [new(delta, 1, density)]);
        Assert.Equal((int)(density * Rows * Columns), merged.Values.Count(x => x != 0));
        var dense = Merge(new(), [new(delta, 1)]);
        var dropped = dense.Values.Zip(merged.Values).Where(p => p.Second == 0).Max(p => Math.Abs(p.First));
        Assert.True(merged.Values.Where(x => x != 0).Min(Math.Abs) >= dropped);
    }

    [Fact]
    public void Of_equal_magnitudes_the_first_in_row_order_are_kept()
    {
        var (b, a) = (new Matrix(Rows, 1), new Matrix(1, Columns));
        Array.Fill(b.Values, -2);
        Array.Fill(a.Values, 1);
        var kept = (int)(0.83 * Rows * Columns); // ends in the second tile
        var merged = Merge(new() { Sparsifier = Sparsifier.Magnitude }, [new(new(b, a), 1, 0.83)]);
        Assert.All(merged.Values.Take(kept), x => Assert.Equal(-2, x));
        Assert.All(merged.Values.Skip(kept), x => Assert.Equal(0, x));
    }

    [Fact]
    public void A_sample_that_misleads_does_not_change_the_threshold()
    {
        using var scope = NewDisposeScope();
        var values = Enumerable.Range(0, 40_000).Select(i => (float)((i * 7919L) % 40_009)).ToArray();
        var tiles = values.Chunk(1000).Select(c => tensor(c)).ToArray();
        var sorted = values.OrderDescending().ToArray();
        foreach (var sample in new float[][] { [0], [1e9f], [1e-9f, 2e-9f, 3e-9f], [.. Enumerable.Repeat(7f, 100)] })
            foreach (var k in new[] { 1, 17, 20_000, 39_999 })
            {
                var selection = new Selection(t => tiles[t].clone(), tiles.Length, t => 1000L * t, values.Length, TestContext.Current.CancellationToken);
                Assert.Equal(sorted[k - 1], selection.Find(k, sample).Threshold);
            }
    }

    [Fact]
    public void Bytes_do_not_depend_on_the_parallelism()
    {
        var inputs = Libraries.Large();
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over("dare_ties", 0.5, 0.3, 0.2).With("density", 0.5) with { Rank = 8 }, inputs, out var plan, out _));
        var expected = Bits(1);
        Assert.Equal(expected, Bits(2));
        Assert.Equal(expected, Bits(5));

        List<long> Bits(int parallelism) =>
        [
            .. TorchMerge.Run(plan, inputs, new(KernelDevice.Cpu, parallelism), cancellation: TestContext.Current.CancellationToken)
                .SelectMany(m => m.Delta.B.Values.Concat(m.Delta.A.Values)).Select(BitConverter.DoubleToInt64Bits),
        ];
    }

    [Fact]
    public void No_tensor_outlives_its_merge()
    {
        var inputs = Inputs((random, rank) => new(Libraries.Gaussian(random, 600, rank), Libraries.Gaussian(random, rank, 520)));
        var kernels = new TorchKernels(KernelDevice.Cpu);
        var statistics = DisposeScopeManager.Statistics.TensorStatistics;
        foreach (var merge in All.Where((_, i) => i % 7 == 0))
            foreach (var policy in new RankPolicy[] { new(4), new(Energy: 0.3), RankPolicy.Lossless })
            {
                var (alive, outside) = (statistics.ThreadTotalLiveCount, statistics.CreatedOutsideScopeCount);
                kernels.Elementwise(merge, inputs, policy, TestContext.Current.CancellationToken);
                Assert.Equal((alive, outside), (statistics.ThreadTotalLiveCount, statistics.CreatedOutsideScopeCount));
            }
    }

    [Fact]
    public void Cancelling_ends_a_selection_at_the_next_tile()
    {
        using var source = new CancellationTokenSource();
        var seen = new List<int>();
        var selection = new Selection(
            tile =>
            {
                seen.Add(tile);
                if (tile == 3)
                    source.Cancel();
                return ones(10);
            },
            100, t => 10L * t, 1000, source.Token);
        Assert.Throws<OperationCanceledException>(() => selection.Find(500, [1]));
        Assert.Equal([0, 1, 2, 3], seen);
    }

    [Fact]
    public async Task Cancelling_ends_a_large_module_while_it_is_computed()
    {
        // The token is cancelled once the kernels have begun with the module: they look at it between tiles and between iterations.
        var random = new Random(1);
        ElementwiseInput[] inputs = [.. Enumerable.Range(0, 8).Select(e => new ElementwiseInput(
            new(Libraries.Gaussian(random, 4096, 4), Libraries.Gaussian(random, 4, 4096)), 1, 0.2, Stream: $"{e}"))];
        var merge = new ElementwiseMerge { Sparsifier = Sparsifier.Magnitude, Combination = Combination.Ties };
        using var source = new CancellationTokenSource();
        var started = new TaskCompletionSource();
        var running = Task.Run(() =>
        {
            started.SetResult();
            return new TorchKernels(KernelDevice.Cpu).Elementwise(merge, inputs, new(16), source.Token);
        }, TestContext.Current.CancellationToken);
        await started.Task;
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public void A_factor_beyond_float32_is_refused()
    {
        var delta = Libraries.Adapter(1, 4, ("q", 40, 30)).Delta("q")!;
        delta.A[2, 3] = 1e300;
        Assert.Throws<NotFiniteNumberException>(() => new TorchKernels(KernelDevice.Cpu).Elementwise(
            new(), [new(delta, 1)], new(2), TestContext.Current.CancellationToken));
    }

    private static IEnumerable<ElementwiseMerge> Specifications()
    {
        Combination[] all = Enum.GetValues<Combination>();
        foreach (var sparsifier in Enum.GetValues<Sparsifier>())
            foreach (var rescaling in Enum.GetValues<Rescaling>())
                foreach (var combination in all)
                    yield return new() { Sparsifier = sparsifier, Rescaling = rescaling, Combination = combination };
        foreach (var sparsifier in new[] { Sparsifier.None, Sparsifier.Magnitude, Sparsifier.Random })
        {
            var basic = new ElementwiseMerge { Sparsifier = sparsifier, Lambda = 0.7 };
            yield return basic with { Normalize = true };
            foreach (var divisor in Enum.GetValues<TiesDivisor>())
                foreach (var flags in Enumerable.Range(0, 8))
                {
                    yield return basic with
                    {
                        Combination = Combination.Ties,
                        Divisor = divisor,
                        ElectWeighted = (flags & 1) == 0,
                        ElectByCount = (flags & 2) != 0,
                        DrawIsPositive = (flags & 4) == 0,
                    };
                }

            yield return basic with { Combination = Combination.Sce, SelectTopK = 0.3 };
            yield return basic with { Combination = Combination.Ram, ChangedAbove = 1, RaiseBy = 0.5 };
        }
    }

    // Unequal ranks, weights and densities; the last one has ΔW = 0.
    private static ElementwiseInput[] Inputs(Func<Random, int, LowRankDelta> draw)
    {
        var random = new Random(3);
        var (first, second, third) = (draw(random, 2), draw(random, 5), draw(random, 3));
        return
        [
            new(first, 1, 0.37, 0.01, 0.15, Seed: 9, Stream: "first"),
            new(second, 0.5, 0.2, 0.05, 0.1, Seed: 9, Stream: "second"),
            new(third, 0.75, 0.5, 0.1, 0.3, Seed: 9, Stream: "third"),
            new(Deltas.Zero(first.Out, first.In), 2, 0.3, 0.01, 0.1, Seed: 9, Stream: "fourth"),
        ];
    }

    private static (Matrix Expected, Matrix Actual) Both(ElementwiseMerge merge, ElementwiseInput[] inputs)
    {
        var kernels = ReferenceKernels.Instance;
        return (DenseElementwise.Run(merge, [.. inputs.Select(i => kernels.Times(i.Delta.B, i.Delta.A))], inputs), Merge(merge, inputs));
    }

    private static Matrix Merge(ElementwiseMerge merge, ElementwiseInput[] inputs)
    {
        KernelDevice.UseOneThread();
        using var scope = NewDisposeScope();
        return KernelDevice.Download(TiledElementwise.Merge(merge, inputs, KernelDevice.Cpu, TestContext.Current.CancellationToken));
    }

    private static Matrix Integers(Random random, int rows, int columns)
    {
        var matrix = new Matrix(rows, columns);
        for (var i = 0; i < matrix.Values.Length; i++)
            matrix.Values[i] = random.Next(-3, 4);
        return matrix;
    }
}

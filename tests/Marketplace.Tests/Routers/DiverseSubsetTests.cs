using CsCheck;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using MathNet.Numerics.LinearAlgebra;
using Xunit;

namespace Marketplace.Tests.Routers;

/// <summary>Diverse subsets against plain greedy choice, and against every subset.</summary>
public sealed class DiverseSubsetTests
{
    [Theory]
    [InlineData(DiverseObjective.FacilityLocation)]
    [InlineData(DiverseObjective.LogDeterminant)]
    public void Lazy_choice_is_greedy_choice_and_nearly_as_good_as_the_best(DiverseObjective objective) => Gen.Select(Gen.Int[0, 100_000], Gen.Int[1, 10], Gen.Int[1, 5]).Sample((seed, n, count) =>
    {
        var vectors = Vectors(new Random(seed), n, 37);
        var subset = Choose(Memory(vectors), count, objective, 0);
        Assert.Equal(Math.Min(n, count), subset.Picks.Length);
        Assert.Equal(subset.Picks.Length, subset.Picks.Select(p => p.Index).Distinct().Count());
        var chosen = new List<int>();
        foreach (var pick in subset.Picks)
        {
            var before = Value(vectors, chosen, objective);
            var best = Enumerable.Range(0, n).Except(chosen).Max(i => Value(vectors, [.. chosen, i], objective));
            chosen.Add(pick.Index);
            Assert.Equal(best - before, pick.Gain, 1e-4);
            Assert.Equal(Value(vectors, chosen, objective) - before, pick.Gain, 1e-4);
        }

        Assert.Equal(Value(vectors, chosen, objective), subset.Value, 1e-4);
        var optimum = Subsets(n, subset.Picks.Length).Max(s => Value(vectors, s, objective));
        Assert.True(subset.Value >= ((1 - (1 / Math.E)) * optimum) - 1e-4, $"{subset.Value} of {optimum}");
        Assert.True(subset.Picks.Zip(subset.Picks.Skip(1)).All(p => p.First.Gain >= p.Second.Gain));
    }, iter: 60);

    [Theory]
    [InlineData(DiverseObjective.FacilityLocation)]
    [InlineData(DiverseObjective.LogDeterminant)]
    public void One_of_each_planted_group_comes_first_and_copies_last(DiverseObjective objective)
    {
        var random = new Random(7);
        var centres = Vectors(random, 12, 256);
        // 400 vectors around 12 centres, and each centre four times.
        float[][] vectors =
        [
            .. Enumerable.Range(0, 48).Select(i => centres[i % 12]),
            .. Enumerable.Range(0, 400).Select(i => centres[i % 12].Select(x => x + (0.4f * (float)Adapters.Normal(random))).ToArray()),
        ];
        var subset = Choose(Memory(vectors), 40, objective);
        Assert.Equal(Enumerable.Range(0, 12), subset.Picks.Take(12).Select(p => p.Index % 12 is var g && p.Index >= 48 ? (p.Index - 48) % 12 : g).Order());
        // No picture of a centre twice, as long as others gain.
        Assert.Equal(subset.Picks.Length, subset.Picks.Select(p => p.Index < 48 ? p.Index % 12 : p.Index).Distinct().Count());
        Assert.All(subset.Picks.Skip(1), p => Assert.True(p.Nearest <= DiverseSubset.NearCopy));
        Assert.True(subset.Evaluations < 448 * 40);
    }

    [Fact]
    public void Copies_are_chosen_only_when_nothing_else_is_left_and_zeros_never()
    {
        float[][] vectors = [[1, 0, 0], [0, 0, 0], [2, 0, 0], [0, 1, 0], [1, 0, 1e-4f]];
        foreach (var objective in Enum.GetValues<DiverseObjective>())
        {
            var subset = Choose(Memory(vectors), 9, objective, 0);
            Assert.Equal(4, subset.Considered);
            Assert.Equal([0, 3], subset.Picks.Take(2).Select(p => p.Index));
            Assert.Equal([2, 4], subset.Picks.Skip(2).Select(p => p.Index).Order());
            Assert.Null(subset.Picks[0].Nearest);
        }

        Assert.Empty(Choose([], 3).Picks);
        Assert.Empty(Choose(Memory([[0, 0]]), 3).Picks);
        Assert.Throws<ArgumentException>(() => Choose(Memory([[1, 0], [1]]), 1));
        Assert.Throws<ArgumentException>(() => Choose(Memory([[1, float.NaN]]), 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Choose(Memory([[1]]), 0));
    }

    [Fact]
    public void Rows_that_are_similar_to_too_many_to_be_kept_are_looked_at_anew()
    {
        // 2,100 members of one group are more than are kept of a row; the small group's are not.
        var random = new Random(5);
        var centres = Vectors(random, 2, 16);
        float[][] vectors = [.. Enumerable.Range(0, 2130).Select(i => centres[i < 2100 ? 0 : 1].Select(x => x + (0.3f * (float)Adapters.Normal(random))).ToArray())];
        var subset = Choose(Memory(vectors), 6, floor: 0.5);
        var chosen = new List<int>();
        double Covered(IEnumerable<int> picks) => Enumerable.Range(0, vectors.Length).Sum(i => picks.Select(j => Cosine(vectors[i], vectors[j])).Where(c => c >= 0.5).DefaultIfEmpty().Max());
        foreach (var pick in subset.Picks)
        {
            Assert.Equal(Covered([.. chosen, pick.Index]) - Covered(chosen), pick.Gain, 1e-3);
            chosen.Add(pick.Index);
        }

        Assert.Contains(subset.Picks.Take(2), p => p.Index >= 2100);
        var best = Enumerable.Range(0, vectors.Length).Where(i => i % 50 == 0).Max(i => Covered([i]));
        Assert.True(subset.Picks[0].Gain >= best - 1e-3);
    }

    [Fact]
    public void What_a_sketch_can_t_tell_from_zero_represents_nobody()
    {
        // Cosine 0.05 with each of the others: noise for sketches of 1,024 numbers.
        var vectors = Enumerable.Range(0, 9).Select(i => { var v = new float[1024]; v[i] = 1; if (i > 0) v[0] = 0.05f; return v; }).ToArray();
        Assert.Equal(1, Choose(Memory(vectors), 1).Value, 1e-6);
        Assert.Equal(1.4, Choose(Memory(vectors), 1, floor: 0).Value, 1e-3);
    }

    [Fact]
    public void The_choice_does_not_depend_on_lengths_or_on_the_order_of_work()
    {
        var vectors = Vectors(new Random(3), 333, 100);
        var one = Choose(Memory(vectors), 30);
        var longer = Choose(Memory([.. vectors.Select((v, i) => v.Select(x => x * (1 << (i % 5))).ToArray())]), 30);
        Assert.Equal(one.Picks, longer.Picks);
    }

    private static DiverseSubset Choose(
        IReadOnlyList<ReadOnlyMemory<float>> vectors, int count, DiverseObjective objective = DiverseObjective.FacilityLocation, double? floor = null) =>
        DiverseSubset.Choose(vectors, count, objective, floor, TestContext.Current.CancellationToken);

    private static double Value(float[][] vectors, IReadOnlyCollection<int> chosen, DiverseObjective objective)
    {
        if (chosen.Count == 0)
            return 0;
        if (objective == DiverseObjective.FacilityLocation)
            return Enumerable.Range(0, vectors.Length).Sum(i => chosen.Max(j => Math.Max(0, Cosine(vectors[i], vectors[j]))));
        var index = chosen.ToArray();
        return Math.Log((Matrix<double>.Build.DenseIdentity(index.Length) + (100 * Matrix<double>.Build.Dense(index.Length, index.Length, (i, j) => Cosine(vectors[index[i]], vectors[index[j]])))).Determinant());
    }

    private static double Cosine(float[] x, float[] y)
    {
        static double Dot(float[] a, float[] b) => a.Zip(b, (p, q) => (double)p * q).Sum();
        return Dot(x, y) / Math.Sqrt(Dot(x, x) * Dot(y, y));
    }

    private static IEnumerable<int[]> Subsets(int n, int size) =>
        Enumerable.Range(0, 1 << n).Where(bits => int.PopCount(bits) == size).Select(bits => Enumerable.Range(0, n).Where(i => (bits >> i & 1) == 1).ToArray());

    private static ReadOnlyMemory<float>[] Memory(float[][] vectors) => [.. vectors.Select(v => new ReadOnlyMemory<float>(v))];

    private static float[][] Vectors(Random random, int count, int size) =>
        [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, size).Select(_ => (float)Adapters.Normal(random)).ToArray())];
}

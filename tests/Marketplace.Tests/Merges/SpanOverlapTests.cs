using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using MathNet.Numerics.LinearAlgebra;
using Xunit;
using Matrix = Marketplace.Core.Matrix;

namespace Marketplace.Tests.Merges;

/// <summary>Overlap of spans and complementarity against projections of dense matrices.</summary>
public sealed class SpanOverlapTests
{
    [Fact]
    public void Overlaps_are_shares_of_energy_in_the_other_s_spaces() => Gen.Select(Cases.Shape, Gen.Int[1, 6], Gen.Int[1, 6]).Sample((shape, r1, r2) =>
    {
        var random = new Random(shape.Seed);
        var (one, two) = (Adapters.Random(random, shape.Out, shape.In, r1), Adapters.Random(random, shape.Out, shape.In, r2));
        var (d1, d2) = (Matrix<double>.Build.DenseOfArray(Dense.Of(one)), Matrix<double>.Build.DenseOfArray(Dense.Of(two)));
        if (Weak(d1, r1) || Weak(d2, r2))
            return; // a nearly deficient factor has no span to speak of
        double Inside(Matrix<double> x, Matrix<double> basis, int rank) =>
            Math.Pow((x * basis.SubMatrix(0, basis.RowCount, 0, rank)).FrobeniusNorm() / x.FrobeniusNorm(), 2);
        double Half(Matrix<double> a, Matrix<double> b)
        {
            var (v1, v2) = (a.Svd().VT.Transpose(), b.Svd().VT.Transpose());
            return (Inside(a, v2, b.Rank()) + Inside(b, v1, a.Rank())) / 2;
        }

        var spans = Pair(Adapters.Of(("q", one)), Adapters.Of(("q", two)))!;
        var (input, output) = (Half(d1, d2), Half(d1.Transpose(), d2.Transpose()));
        Assert.Equal(input, spans.Input, 1e-9);
        Assert.Equal(output, spans.Output, 1e-9);
        Assert.Equal(Math.Sqrt(input * output), spans.Overlap, 1e-9);
        Assert.Equal(1 - spans.Overlap, spans.Complementarity);
        Assert.Equal("q", Assert.Single(spans.Modules).Module);
        Assert.Equal(spans.Overlap, spans.Modules[0].Overlap, 1e-12);
    });

    [Fact]
    public void How_a_delta_is_factored_makes_no_difference() => Gen.Select(Cases.Shape, Gen.Int[0, 999]).Sample((shape, gauge) =>
    {
        var random = new Random(shape.Seed);
        var (one, two) = (Adapters.Random(random, shape.Out + 6, shape.In + 6, 3), Adapters.Random(random, shape.Out + 6, shape.In + 6, 2));
        var spans = Pair(Adapters.Of(2, ("q", one)), Adapters.Of(("q", two)))!;
        var other = Pair(Adapters.Of(("q", Cases.Pad(Cases.Regauge(one, gauge), 2))), Adapters.Of(5, ("q", Cases.Regauge(two, gauge + 1))))!;
        Assert.Equal(spans.Input, other.Input, 1e-7);
        Assert.Equal(spans.Output, other.Output, 1e-7);
        Assert.Equal(spans.Complementarity, other.Complementarity, 1e-7);
    });

    [Fact]
    public void Copies_do_not_complement_each_other_and_disjoint_modules_do_wholly()
    {
        var random = new Random(1);
        var (q, v) = (Adapters.Random(random, 9, 8, 2), Adapters.Random(random, 9, 8, 3));
        Assert.Equal(0, Pair(Adapters.Of(("q", q), ("v", v)), Adapters.Of(3, ("q", Cases.Regauge(q, 4)), ("v", v)))!.Complementarity, 1e-12);
        Assert.Equal(new PairOverlap(0, 0, 0, 1, []).Complementarity, Pair(Adapters.Of(("q", q)), Adapters.Of(("v", v)))!.Complementarity);
        Assert.Null(Pair(Adapters.Of(("q", q)), Adapters.Of(("q", new LowRankDelta(new Matrix(9, 2), q.A)))));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Either_orthogonal_inputs_or_orthogonal_outputs_suffice(bool inputs)
    {
        var random = new Random(1);
        var (one, two) = (Adapters.Random(random, 8, 8, 2), Adapters.Random(random, 8, 8, 2));
        for (var i = 0; i < 8; i++)
            for (var r = 0; r < 2; r++)
            {
                if (inputs)
                    (i < 4 ? one : two).A[r, i] = 0;
                else
                    (i < 4 ? one : two).B[i, r] = 0;
            }

        var spans = Pair(Adapters.Of(("q", one)), Adapters.Of(("q", two)))!;
        Assert.Equal(1, spans.Complementarity, 1e-7);
        Assert.Equal(0, inputs ? spans.Input : spans.Output, 1e-12);
        Assert.True((inputs ? spans.Output : spans.Input) > 0.01);
    }

    [Fact]
    public void Modules_count_by_the_energy_that_each_adapter_has_there()
    {
        var random = new Random(1);
        var (shared, own) = (Adapters.Random(random, 9, 8, 2), Adapters.Random(random, 9, 8, 2));
        // The first has a quarter of its energy in what both share, the second all of it.
        var scale = Math.Sqrt(3) * Deltas.Norm(shared) / Deltas.Norm(own);
        var spans = Pair(Adapters.Of(("q", shared), ("v", Adapters.Scale(own, scale))), Adapters.Of(("q", shared)))!;
        Assert.Equal((0.25 + 1) / 2, spans.Overlap, 1e-12);
        Assert.Equal((0.25 + 1) / 2, spans.Input, 1e-12);
    }

    [Fact]
    public void A_report_of_many_pairs_lists_fewer_modules_of_each()
    {
        var random = new Random(2);
        Adapter[] adapters = [.. Enumerable.Range(0, 32).Select(_ => Adapters.Of([.. Enumerable.Range(0, 50).Select(m => ($"m{m:00}", Adapters.Random(random, 3, 3, 1)))]))];
        var report = CompatibilityReport.Of(adapters, [.. adapters.Select((_, i) => $"{i}")], cancellation: TestContext.Current.CancellationToken);
        Assert.All(report.Pairs, p => Assert.Equal(20_000 / 496, p.Spans!.Modules.Length));
        Assert.All(report.Pairs, p => Assert.Equal(p.Spans!.Modules.OrderByDescending(m => m.Overlap).Select(m => m.Module), p.Spans.Modules.Select(m => m.Module)));
    }

    private static bool Weak(Matrix<double> x, int rank)
    {
        var s = x.Svd(false).S;
        return s[Math.Min(rank, s.Count) - 1] < 1e-4 * s[0];
    }

    private static PairOverlap? Pair(Adapter first, Adapter second) =>
        CompatibilityReport.Of([first, second], ["a", "b"], cancellation: TestContext.Current.CancellationToken).Pairs.Single().Spans;
}

using CsCheck;
using Marketplace.Core.Evaluation;
using Xunit;

namespace Marketplace.Tests.Evaluation;

public sealed class SignificanceTests
{
    [Theory]
    [InlineData(1, 9, 22.0 / 1024)]
    [InlineData(9, 1, 22.0 / 1024)]
    [InlineData(0, 6, 2.0 / 64)]
    [InlineData(5, 5, 1)]
    [InlineData(0, 0, 1)]
    [InlineData(3, 4, 1)]
    public void McNemar_is_what_a_hand_can_compute(int b, int c, double p) => Assert.Equal(p, PairedComparison.McNemar(b, c), 1e-12);

    [Fact]
    public void A_comparison_counts_the_items_that_differ()
    {
        var (first, second) = (TrainedFixture.Measured("adapter:copy", "copy"), TrainedFixture.Measured("base", "copy"));
        var set = TrainedFixture.Set("copy");
        var pair = PairedComparison.Of(ItemScores.Of(set, first, Metric.Accuracy), ItemScores.Of(set, second, Metric.Accuracy));
        Assert.Equal((1.0, 0.25, 0.75, 75, 0, "mcnemar"), (pair.First, pair.Second, pair.Difference, pair.OnlyFirst, pair.OnlySecond, pair.Test));
        Assert.Equal(2 * Math.Pow(0.5, 75), pair.PValue, 1e-30);
        Assert.InRange(pair.Low, 0.6, 0.75);
        Assert.InRange(pair.High, 0.75, 0.9);
    }

    [Fact]
    public void Exchanging_the_two_changes_nothing_but_the_sign() => Gen.Select(Gen.Int[2, 30], Gen.Int[0, 99_999], Gen.Bool).Sample((n, seed, shares) =>
    {
        var random = new Random(seed);
        ItemScores Items() => new(shares ? Metric.Accuracy : Metric.Perplexity, [.. Enumerable.Range(0, n).Select(_ => shares ? random.Next(2) : 9 * random.NextDouble())],
            [.. Enumerable.Range(0, n).Select(_ => shares ? 1.0 : random.Next(1, 9))]);
        var (a, b) = (Items(), Items());
        var (forth, back) = (PairedComparison.Of(a, b, 200), PairedComparison.Of(b, a, 200));
        Assert.Equal(forth.PValue, back.PValue, 1e-9);
        Assert.Equal(forth.Difference, -back.Difference, 1e-9);
        Assert.InRange(forth.PValue, 1e-4, 1);
        Assert.Equal(1, PairedComparison.Of(a, a, 50).PValue);
    }, iter: 20);

    [Fact]
    public void Few_items_are_exchanged_in_every_way_there_is()
    {
        // All six differences favour the first: of 64 exchanges only none and all are as extreme.
        ItemScores Items(double shift) => new(Metric.LogLikelihood, [.. Enumerable.Range(0, 6).Select(i => i + shift)], [.. Enumerable.Repeat(1.0, 6)]);
        Assert.Equal(2.0 / 64, PairedComparison.Of(Items(1), Items(0)).PValue, 1e-12);
    }

    [Fact]
    public void Random_exchanges_come_near_to_all_of_them()
    {
        var random = new Random(2);
        double[] differences = [.. Enumerable.Range(0, 13).Select(_ => random.NextDouble() - 0.3)];
        var all = Enumerable.Range(0, 1 << 13).Count(flips => Math.Abs(differences.Select((d, i) => (flips >> i & 1) == 0 ? d : -d).Sum()) >= Math.Abs(differences.Sum()) - 1e-12) / 8192.0;
        ItemScores Items(Func<int, double> value) => new(Metric.LogLikelihood, [.. Enumerable.Range(0, 13).Select(value)], [.. Enumerable.Repeat(1.0, 13)]);
        Assert.Equal(all, PairedComparison.Of(Items(i => differences[i]), Items(_ => 0)).PValue, 0.02);
    }

    [Fact]
    public void Holm_multiplies_by_what_is_left_and_never_turns_back()
    {
        Assert.Equal([0.03, 0.06, 0.06, 0.02], Holm.Adjust([0.01, 0.03, 0.04, 0.005]).Select(p => Math.Round(p, 12)));
        Assert.Equal([1, 1, 1], Holm.Adjust([0.5, 0.9, 1]));
        Assert.Empty(Holm.Adjust([]));
    }

    [Theory]
    [InlineData(8, 10, 0.025, 0.443904537, 0.974789297)]
    [InlineData(0, 10, 0.025, 0, 0.308497096)]
    [InlineData(10, 10, 0.05, 0.741134449, 1)]
    [InlineData(50, 100, 0.025, 0.398321125, 0.601678875)]
    public void Clopper_and_Pearson_are_those_of_the_tables(int k, int n, double alpha, double low, double high)
    {
        Assert.Equal(low, Binomial.LowerBound(k, n, alpha), 1e-6);
        Assert.Equal(high, Binomial.UpperBound(k, n, alpha), 1e-6);
    }

    [Fact]
    public void A_certificate_has_the_error_that_it_says_and_is_never_weaker_than_Hoeffding() =>
        Gen.Select(Gen.Int[1, 3000], Gen.Double[0, 1], Gen.Int[1, 1000], Gen.Double[0.001, 0.5]).Sample((n, share, candidates, delta) =>
        {
            var k = (int)(share * n);
            var certificate = Certificate.Of(k, n, candidates, delta);
            if (k > 0)
                Assert.Equal(1, Binomial.UpperTail(k, n, certificate.Lower) / (delta / candidates), 1e-6);
            Assert.True(certificate.Lower >= certificate.HoeffdingLow - 1e-12);
            Assert.True(certificate.ExactLow <= certificate.Lower && certificate.Lower <= certificate.Empirical && certificate.Empirical <= certificate.ExactHigh);
            Assert.True(certificate.ExactHigh <= certificate.HoeffdingHigh + 1e-12);
            var more = Certificate.Of(k, n, candidates + 1, delta);
            Assert.True(more.Lower <= certificate.Lower && more.Hoeffding > certificate.Hoeffding);
            Assert.True(Certificate.Of(k, n, candidates, delta / 2).Lower <= certificate.Lower);
            Assert.True(k == n || Certificate.Of(k + 1, n, candidates, delta).Lower >= certificate.Lower);
        }, iter: 200);

    [Fact]
    public void Of_one_candidate_the_formula_is_the_plain_one()
    {
        var certificate = Certificate.Of(90, 100, 20, 0.05);
        Assert.Equal(Math.Sqrt(Math.Log(2 * 20 / 0.05) / 200), certificate.Hoeffding, 1e-15);
        Assert.Throws<ArgumentOutOfRangeException>(() => Certificate.Of(3, 2, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Certificate.Of(1, 2, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Certificate.Of(1, 2, 1, 1));
    }
}

using CsCheck;
using Marketplace.Core.Evaluation;
using Xunit;
using static Marketplace.Tests.Evaluation.TrainedFixture;

namespace Marketplace.Tests.Evaluation;

public sealed class EnsembleTests
{
    private static readonly string[] Rows = ["base", "adapter:copy", "adapter:sort", "merge:cat_mean", "dense arrow:top3"];

    [Fact]
    public void One_member_and_equal_members_are_that_member()
    {
        foreach (var task in Tasks)
        {
            var (set, one) = (Set(task), Measured("base", task));
            var (alone, twice) = (new PredictionEnsemble(set, [one]), new PredictionEnsemble(set, [one, one, one]));
            var expected = ItemScores.Of(set, one, Metric.Accuracy).Sums;
            Assert.Equal(expected, alone.Mixture([7]));
            Assert.Equal(expected, twice.Mixture([1, 0.5, 2]));
            Assert.Equal(expected, twice.MajorityVote());
            Assert.Equal(expected, twice.AnyMember());
            Assert.Equal([1, 0, 0], twice.GreedyPortfolio([.. Enumerable.Range(0, 100)], 5));
        }
    }

    [Fact]
    public void Weights_of_which_all_but_one_are_zero_are_the_member()
    {
        var set = Set("copy");
        var ensemble = new PredictionEnsemble(set, [.. Rows.Select(r => Measured(set, r, "copy"))]);
        for (var m = 0; m < Rows.Length; m++)
        {
            Assert.Equal(ItemScores.Of(set, Measured(set, Rows[m], "copy"), Metric.Accuracy).Sums, ensemble.Member(m));
            Assert.Equal(ensemble.Member(m), ensemble.Mixture([.. Enumerable.Range(0, Rows.Length).Select(i => i == m ? 3.0 : 0)]));
        }

        Assert.Throws<ArgumentException>(() => ensemble.Mixture([0, 0, 0, 0, 0]));
        Assert.Throws<ArgumentException>(() => ensemble.Mixture([1]));
        Assert.Throws<ArgumentException>(() => new PredictionEnsemble(set, []));
    }

    [Fact]
    public void Probabilities_are_mixed_and_not_log_likelihoods()
    {
        // 0.9/0.1 and twice 0.4/0.6: the mean of probabilities is 0.567, the vote and the mean logarithm differ.
        var set = Read("""{"prompt": "a", "choices": ["x", "y"], "answer": 0}""");
        Predictions Of(double p) => Choices([Math.Log(p), Math.Log(1 - p)]);
        var ensemble = new PredictionEnsemble(set, [Of(0.9), Of(0.4), Of(0.4)]);
        Assert.Equal([1], ensemble.Mixture([1, 1, 1]));
        Assert.Equal([0], ensemble.MajorityVote());
        Assert.Equal([0], ensemble.Mixture([1, 9, 9]));
        Assert.Equal([1], new PredictionEnsemble(set, [Of(0.5)]).Mixture([1]));
    }

    [Fact]
    public void No_portfolio_is_worse_than_the_best_member_where_it_was_selected() => Gen.Select(Gen.Int[0, 5], Gen.Int[1, 12], Gen.Int[0, 99]).Sample((task, budget, seed) =>
    {
        var set = Set(Tasks[task]);
        var ensemble = new PredictionEnsemble(set, [.. Rows.Select(r => Measured(set, r, Tasks[task]))]);
        var (selection, heldOut) = EnsembleReport.Split(100, 0.5, (ulong)seed);
        Assert.Equal(Enumerable.Range(0, 100), selection.Concat(heldOut).Order());
        var picked = ensemble.GreedyPortfolio(selection, budget);
        Assert.InRange(picked.Sum(), 1, budget);
        var mixture = ensemble.Mixture([.. picked.Select(p => (double)p)]);
        var (best, any) = (ensemble.Member(ensemble.Best(selection)), ensemble.AnyMember());
        Assert.True(selection.Sum(i => mixture[i]) >= selection.Sum(i => best[i]));
        Assert.True(selection.Sum(i => best[i]) <= selection.Sum(i => any[i]));
        Assert.All(Enumerable.Range(0, Rows.Length), m => Assert.True(selection.Sum(i => ensemble.Member(m)[i]) <= selection.Sum(i => best[i])));
    }, iter: 12);

    [Fact]
    public void The_report_tells_what_was_chosen_from_what_it_is_worth()
    {
        var set = Set("upper");
        var report = EnsembleReport.Of(new PredictionEnsemble(set, [.. Rows.Select(r => Measured(set, r, "upper"))]), 100, 0.4, budget: 6);
        Assert.Equal((40, 60), (report.Selection, report.HeldOut));
        Assert.Equal(["single", "uniform", "majority", "portfolio", "bestSingle", "any"], report.Rows.Select(r => r.Way));
        var rows = report.Rows.ToDictionary(r => r.Way);
        Assert.True(rows["bestSingle"].Accuracy >= rows["single"].Accuracy && rows["any"].Accuracy >= rows["bestSingle"].Accuracy);
        Assert.True(rows["portfolio"].Selection >= rows["single"].Selection);
        Assert.All(report.Rows, r => Assert.InRange(r.Accuracy, r.Low, r.High));
        Assert.Equal(report.Rows.Select(r => r.Accuracy), EnsembleReport.Of(new PredictionEnsemble(set, [.. Rows.Select(r => Measured(set, r, "upper"))]), 100, 0.4, 6).Rows.Select(r => r.Accuracy));
    }
}

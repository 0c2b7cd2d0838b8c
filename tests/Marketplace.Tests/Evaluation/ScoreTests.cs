using CsCheck;
using Marketplace.Core.Algebra;
using Marketplace.Core.Evaluation;
using Xunit;
using static Marketplace.Tests.Evaluation.TrainedFixture;

namespace Marketplace.Tests.Evaluation;

public sealed class ScoreTests
{
    [Fact]
    public void The_accuracies_of_the_trained_library_come_out_of_its_log_likelihoods()
    {
        var compared = 0;
        foreach (var (row, tasks) in Accuracies)
        {
            foreach (var (task, accuracy) in tasks)
            {
                var set = Set(task);
                var items = ItemScores.Of(set, Measured(set, row, task), Metric.Accuracy);
                Assert.Equal((int)Math.Round(100 * accuracy), items.Correct);
                compared++;
            }
        }

        Assert.Equal(20 * 6, compared);
    }

    [Fact]
    public void Equal_choices_count_as_the_first_and_lengths_count_where_asked_for()
    {
        var set = Read("""{"prompt": "a", "choices": ["x", "yyyy", "zz"], "answer": 1}""");
        Predictions Of(double[] values, int[] tokens) => new(set.Kind, 0, [new ChoicePrediction([.. values], [.. tokens], [1, 4, 2])]);
        double Value(Predictions p, Metric metric) => ItemScores.Of(set, p, metric).Value;

        var tied = Of([-2, -2, -2], [1, 1, 1]);
        Assert.Equal((0.0, 1.0, 0.0), (Value(tied, Metric.Accuracy), Value(tied, Metric.AccuracyNorm), Value(tied, Metric.AccuracyTokenNorm)));
        var longer = Of([-1, -3, -3], [1, 4, 1]);
        Assert.Equal((0.0, 1.0, 1.0), (Value(longer, Metric.Accuracy), Value(longer, Metric.AccuracyNorm), Value(longer, Metric.AccuracyTokenNorm)));
        Assert.Equal(-3, Value(longer, Metric.LogLikelihood));
    }

    [Fact]
    public void Perplexities_are_of_all_tokens_or_bytes_and_not_means_of_items()
    {
        var set = Read("""{"text": "abcd"}""", """{"text": "abcdefgh"}""");
        var scores = Scores.Compute(set, new(set.Kind, 0, [new PerplexityPrediction(-2, 1, 4), new PerplexityPrediction(-10, 5, 8)])).ToDictionary(s => s.Metric);
        Assert.Equal(Math.Exp(12.0 / 6), scores[Metric.Perplexity].Value, 1e-12);
        Assert.Equal(Math.Exp(12.0 / 12), scores[Metric.BytePerplexity].Value, 1e-12);
        Assert.Equal(1 / Math.Log(2), scores[Metric.BitsPerByte].Value, 1e-12);
        Assert.Equal(Math.Log2(scores[Metric.BytePerplexity].Value), scores[Metric.BitsPerByte].Value, 1e-12);
        Assert.Equal(-6, scores[Metric.LogLikelihood].Value, 1e-12);
        // Of two items three samples differ; the interval reaches from one item alone to the other.
        Assert.Equal((Math.Exp(2), Math.Exp(2)), (scores[Metric.Perplexity].Low, scores[Metric.Perplexity].High));
        Assert.Equal((0.5 / Math.Log(2), 1.25 / Math.Log(2)), (scores[Metric.BitsPerByte].Low, scores[Metric.BitsPerByte].High));
    }

    [Fact]
    public void Continuations_and_generations_have_scores_of_their_own()
    {
        var continuation = Read("""{"prompt": "a", "continuation": "bc"}""", """{"prompt": "a", "continuation": "d"}""");
        var scores = Scores.Compute(continuation, new(continuation.Kind, 0, [new ContinuationPrediction(-1, 2, 2, true), new ContinuationPrediction(-3, 1, 1, false)])).ToDictionary(s => s.Metric);
        Assert.Equal((-2.0, 0.5, 1), (scores[Metric.LogLikelihood].Value, scores[Metric.Accuracy].Value, scores[Metric.Accuracy].Correct));
        Assert.Equal(1, scores[Metric.LogLikelihood].StandardError, 1e-12);
        var generation = Read("""{"prompt": "a", "answers": ["b"]}""");
        Assert.Equal((1.0, 0.0), Scores.Compute(generation, new(generation.Kind, 0, [new GenerationPrediction("b", true)])) is [var only] ? (only.Value, only.StandardError) : default);
    }

    [Fact]
    public void The_bootstrap_of_a_share_is_the_binomial_distribution()
    {
        foreach (var (n, k) in new[] { (100, 82), (400, 100), (37, 5) })
        {
            var score = Scores.Compute(Share(n, k), resamples: 20_000);
            var p = (double)k / n;
            Assert.Equal(Math.Sqrt(p * (1 - p) / (n - 1)), score.StandardError, 1e-12);
            // The quantiles of Binomial(n, p) ∕ n, to one step.
            int Quantile(double q) => Enumerable.Range(0, n + 1).First(i => Binomial.LowerTail(i, n, p) >= q);
            Assert.InRange((score.Low * n) - Quantile(0.025), -1, 1);
            Assert.InRange((score.High * n) - Quantile(0.975), -1, 1);
        }
    }

    [Fact]
    public void Drawing_counts_and_drawing_items_give_the_same_distribution()
    {
        var random = new Random(5);
        double[] few = [.. Enumerable.Range(0, 300).Select(_ => (double)random.Next(4))];
        // Numbers that differ in their last digits are no longer few.
        double[] many = [.. few.Select(v => v + (1e-9 * random.NextDouble()))];
        BootstrapInterval Interval(double[] values) => Bootstrap.Interval([values.AsMemory()], t => t[0] / 300, resamples: 20_000);
        var (counts, items) = (Interval(few), Interval(many));
        Assert.Equal(Scores.Compute(new ItemScores(Metric.LogLikelihood, [.. few], [.. few.Select(_ => 1.0)])).StandardError, counts.StandardError, 0.002);
        Assert.Equal(counts.StandardError, items.StandardError, 0.002);
        Assert.Equal(counts.Low, items.Low, 0.01);
        Assert.Equal(counts.High, items.High, 0.01);
    }

    [Fact]
    public void The_same_seed_gives_the_same_interval_and_another_one_another()
    {
        var items = ItemScores.Of(Set("sort"), Measured("base", "sort"), Metric.LogLikelihood);
        Assert.Equal(Scores.Compute(items), Scores.Compute(items));
        Assert.NotEqual(Scores.Compute(items), Scores.Compute(items, seed: 7));
    }

    [Fact]
    public void Binomial_draws_have_the_probabilities_of_the_formula()
    {
        var random = new Philox(1, "test");
        var counts = new int[13];
        for (var i = 0; i < 60_000; i++)
            counts[Binomial.Sample(random, 12, 0.3)]++;
        for (var k = 0; k <= 12; k++)
        {
            var p = Math.Exp(Binomial.LogPmf(k, 12, 0.3));
            Assert.InRange(counts[k], (60_000 * p) - (5 * Math.Sqrt(60_000 * p)) - 3, (60_000 * p) + (5 * Math.Sqrt(60_000 * p)) + 3);
        }
    }

    [Fact]
    public void Tails_are_sums_of_probabilities() => Gen.Select(Gen.Int[1, 60], Gen.Double[0.001, 0.999], Gen.Int[0, 61]).Sample((n, p, k) =>
    {
        var sum = Enumerable.Range(0, n + 1).Where(i => i >= k).Sum(i => Math.Exp(Binomial.LogPmf(i, n, p)));
        Assert.Equal(sum, Binomial.UpperTail(k, n, p), 1e-10);
        Assert.Equal(1, Binomial.UpperTail(k, n, p) + Binomial.LowerTail(k - 1, n, p), 1e-10);
    }, iter: 300);

    internal static ItemScores Share(int n, int k) => new(Metric.Accuracy, [.. Enumerable.Range(0, n).Select(i => i < k ? 1.0 : 0)], [.. Enumerable.Repeat(1.0, n)]);
}

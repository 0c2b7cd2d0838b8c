using System.Collections.Immutable;
using CsCheck;
using Marketplace.Core.Evaluation;
using Xunit;

namespace Marketplace.Tests.Evaluation;

public sealed class PredictionsTests
{
    private static readonly Gen<double> Values = Gen.Double[-1e3, 0];

    private static readonly Gen<ItemPrediction>[] Kinds = [
        Gen.Select(Values.Array[2, 5], Gen.Int[1, 99]).Select((values, size) =>
            (ItemPrediction)new ChoicePrediction([.. values], [.. values.Select((_, i) => size + i)], [.. values.Select((_, i) => 3 * (size + i))])),
        Gen.Select(Values, Gen.Int[1, 99], Gen.Int[1, 999], Gen.Bool).Select((value, tokens, bytes, greedy) => (ItemPrediction)new ContinuationPrediction(value, tokens, bytes, greedy)),
        Gen.Select(Values, Gen.Int[1, 99], Gen.Int[1, 999]).Select((value, tokens, bytes) => (ItemPrediction)new PerplexityPrediction(value, tokens, bytes)),
        Gen.Select(Gen.String[Gen.Char["abé€ \n"], 0, 9], Gen.Bool).Select((text, match) => (ItemPrediction)new GenerationPrediction(text, match))];

    private static readonly Gen<Predictions> AnyPredictions = Gen.Select(Gen.Int[0, 3], Gen.Int[0, 7], Gen.Int[0, 9]).SelectMany((kind, first, count) =>
        Kinds[kind].Array[count].Select(items => new Predictions((EvaluationKind)kind, first, [.. items])));

    [Fact]
    public void A_file_gives_back_what_was_written_and_the_same_bytes() => AnyPredictions.Sample(predictions =>
    {
        var bytes = PredictionsFile.Write(predictions);
        Assert.True(PredictionsFile.TryRead(bytes, out var read));
        Assert.Equal(predictions, read);
        Assert.Equal(bytes, PredictionsFile.Write(read));
    }, iter: 100);

    [Fact]
    public void Damaged_files_are_refused_or_read_but_never_throw() => Gen.Select(AnyPredictions, Gen.Int[0, 10_000], Gen.Byte).Sample((predictions, at, value) =>
    {
        var bytes = PredictionsFile.Write(predictions);
        bytes[at % bytes.Length] = value;
        PredictionsFile.TryRead(bytes, out _);
        Assert.False(PredictionsFile.TryRead(bytes.AsMemory(0, at % bytes.Length), out _));
    }, iter: 300);

    [Fact]
    public void Parts_join_to_the_whole_however_it_was_cut() => Gen.Select(Gen.Int[0, 3], Gen.Int[1, 20], Gen.Int[0, 99_999]).Sample((kind, count, seed) =>
    {
        var whole = new Predictions((EvaluationKind)kind, 0, [.. Kinds[kind].Array[count].Single()]);
        var random = new Random(seed);
        var parts = new List<Predictions>();
        for (var start = 0; start < count;)
        {
            // Some work was done twice.
            var length = random.Next(1, count - start + 1);
            parts.Add(whole with { First = start, Items = [.. whole.Items.Skip(start).Take(length)] });
            start += random.Next(1, length + 1);
        }

        random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(parts));
        Assert.Empty(Predictions.Missing(parts.Select(p => p.Range), count));
        Assert.Equal(whole, Predictions.Join(parts, count));
    }, iter: 100);

    [Fact]
    public void What_is_missing_is_told_and_nothing_is_joined_before_all_is_there()
    {
        var part = TrainedFixture.Measured("base", "copy") is var all ? all with { First = 10, Items = [.. all.Items.Skip(10).Take(20)] } : all;
        Assert.Equal([new(0, 10), new(30, 70)], Predictions.Missing([part.Range], 100));
        Assert.Equal([new(0, 5)], Predictions.Missing([], 5));
        Assert.Null(Predictions.Join([part], 100));
    }

    [Fact]
    public void Predictions_are_held_against_their_set()
    {
        var (set, predictions) = (TrainedFixture.Set("copy"), TrainedFixture.Measured("base", "copy"));
        Assert.Null(predictions.ProblemFor(set));
        Assert.Null((predictions with { First = 90, Items = [.. predictions.Items.Skip(90)] }).ProblemFor(set));
        Assert.NotNull((predictions with { First = 1 }).ProblemFor(set));
        Assert.NotNull((predictions with { Kind = EvaluationKind.Perplexity }).ProblemFor(set));
        ImmutableArray<ItemPrediction> With(ItemPrediction first) => [first, .. predictions.Items.Skip(1)];
        Assert.Contains("copy-000", (predictions with { Items = With(new ChoicePrediction([0, double.NaN, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1])) }).ProblemFor(set), StringComparison.Ordinal);
        Assert.Contains("4 choices", (predictions with { Items = With(new ChoicePrediction([0, 0, 0], [1, 1, 1], [1, 1, 1])) }).ProblemFor(set), StringComparison.Ordinal);
        Assert.NotNull((predictions with { Items = With(new PerplexityPrediction(0, 1, 1)) }).ProblemFor(set));
    }
}

using System.Collections.Immutable;
using System.Text;
using Marketplace.Core.Evaluation;
using Marketplace.Kernels.Models;
using Marketplace.Kernels.Tokenizers;

namespace Marketplace.Kernels.Evaluation;

/// <summary>From items of a set to predictions, for several subjects at once.</summary>
/// <param name="model">The base model.</param>
/// <param name="tokenizer">Its tokenizer.</param>
/// <param name="ends">Tokens that end what is written.</param>
/// <param name="limits">What a pass may take.</param>
public sealed class EvaluationScorer(LanguageModel model, Tokenizer tokenizer, IReadOnlySet<int> ends, ScoringLimits limits)
{
    private readonly SequenceScorer scorer = new(model, limits);
    private readonly GreedyWriter writer = new(model, limits);

    /// <summary>Scores a range of a set's items.</summary>
    /// <param name="set">The set.</param>
    /// <param name="range">Which items.</param>
    /// <param name="subjects">By whom.</param>
    /// <param name="cancellation">Looked at before each batch.</param>
    /// <returns>By subject.</returns>
    public IReadOnlyList<Predictions> Score(EvaluationSet set, ItemRange range, IReadOnlyList<ScoringSubject> subjects, CancellationToken cancellation = default)
    {
        ImmutableArray<EvaluationItem> items = [.. set.Items.Skip(range.First).Take(range.Count)];
        var tokens = new ItemTokens(tokenizer, model.Config.MaxPositions, set.Header.Separator);
        var predictions = set.Kind switch
        {
            EvaluationKind.MultipleChoice => Sequences<MultipleChoiceItem>(items, i => [.. i.Choices.Select(c => tokens.After(i.Prompt, c))], subjects, false, Choice, cancellation),
            EvaluationKind.Continuation => Sequences<ContinuationItem>(items, i => [tokens.After(i.Prompt, i.Continuation)], subjects, true, Continuation, cancellation),
            EvaluationKind.Perplexity => Sequences<PerplexityItem>(items, i => tokens.Windows(i.Text), subjects, false, Perplexity, cancellation),
            EvaluationKind.Generation => Generations(set, [.. items.Cast<GenerationItem>()], tokens, subjects, cancellation),
            _ => throw new ArgumentException($"Sets of the kind {set.Kind} are not scored.", nameof(set)),
        };
        return [.. predictions.Select(p => new Predictions(set.Kind, range.First, [.. p]))];
    }

    private IEnumerable<IEnumerable<ItemPrediction>> Sequences<T>(
        ImmutableArray<EvaluationItem> items, Func<T, IReadOnlyList<ScoredSequence>> tokens, IReadOnlyList<ScoringSubject> subjects, bool greedy,
        Func<T, IReadOnlyList<ScoredSequence>, SequenceScore[], ItemPrediction> predict, CancellationToken cancellation)
        where T : EvaluationItem
    {
        var sequences = items.Select(i => tokens((T)i)).ToList();
        return scorer.Score(sequences, subjects, greedy, cancellation).Select(scores => items.Select((item, i) => predict((T)item, sequences[i], scores[i])));
    }

    private static ChoicePrediction Choice(MultipleChoiceItem item, IReadOnlyList<ScoredSequence> sequences, SequenceScore[] scores) => new(
        [.. scores.Select(s => s.LogLikelihood)], [.. sequences.Select(s => s.Scored)], [.. item.Choices.Select(c => Encoding.UTF8.GetByteCount(c))]);

    private static ContinuationPrediction Continuation(ContinuationItem item, IReadOnlyList<ScoredSequence> sequences, SequenceScore[] scores) => new(
        scores[0].LogLikelihood, sequences[0].Scored, Encoding.UTF8.GetByteCount(item.Continuation), scores[0].Greedy);

    private static PerplexityPrediction Perplexity(PerplexityItem item, IReadOnlyList<ScoredSequence> sequences, SequenceScore[] scores) => new(
        scores.Sum(s => s.LogLikelihood), sequences.Sum(s => s.Scored), Encoding.UTF8.GetByteCount(item.Text));

    private IEnumerable<IEnumerable<ItemPrediction>> Generations(
        EvaluationSet set, ImmutableArray<GenerationItem> items, ItemTokens tokens, IReadOnlyList<ScoringSubject> subjects, CancellationToken cancellation)
    {
        var written = writer.Write(
            [.. items.Select(i => tokens.Prompt(i.Prompt, i.MaxTokens))], subjects,
            (item, so) => ends.Contains(so[^1]) || (!items[item].Stop.IsEmpty && Text(items[item], so).Stopped), cancellation);
        return written.Select(own => own.Select((so, i) =>
        {
            var text = Text(items[i], so).Text;
            return new GenerationPrediction(text, set.Matches(items[i], text));
        }));
    }

    private (string Text, bool Stopped) Text(GenerationItem item, IReadOnlyList<int> written)
    {
        var text = tokenizer.Decode([.. written.TakeWhile(t => !ends.Contains(t))], skipSpecialTokens: true);
        var stop = item.Stop.Select(s => text.IndexOf(s, StringComparison.Ordinal)).Where(at => at >= 0).DefaultIfEmpty(-1).Min();
        return stop < 0 ? (text, false) : (text[..stop], true);
    }
}

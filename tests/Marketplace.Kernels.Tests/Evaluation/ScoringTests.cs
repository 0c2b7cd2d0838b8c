using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Formats;
using Marketplace.Kernels.Evaluation;
using Marketplace.Kernels.Tokenizers;
using Marketplace.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Evaluation;

/// <summary>Scores of items: what the definition says, whatever goes into a batch together.</summary>
public sealed class ScoringTests(ScoringFixture fixture) : IClassFixture<ScoringFixture>
{
    private const double Rounding = 1e-5;
    private const double Improbable = 5e-5; // of tokens at random, whose log-probabilities are many nats

    private static readonly string[] Letters = [.. "abcdefghijklmnoprstuw0123456789=:+".Select(c => c.ToString())];

    [Fact]
    public void Batches_of_any_composition_give_the_scores_of_single_rows()
    {
        var random = new Random(1);
        var subjects = fixture.Subjects();
        for (var round = 0; round < 3; round++)
        {
            var items = Enumerable.Range(0, 6).Select(_ => (IReadOnlyList<ScoredSequence>)Sequences(random)).ToList();
            var chosen = subjects.Where(_ => random.Next(3) > 0).DefaultIfEmpty(subjects[0]).ToList();
            var limits = new ScoringLimits(random.Next(8, 400), random.Next(100, 20_000), random.Next(1, 6));
            var scores = new SequenceScorer(fixture.Model, limits).Score(items, chosen, greedy: true, TestContext.Current.CancellationToken);
            for (var s = 0; s < chosen.Count; s++)
                for (var i = 0; i < items.Count; i++)
                    for (var j = 0; j < items[i].Count; j++)
                        Same(items[i][j], chosen[s], scores[s][i][j], Improbable);
        }

        Array.ForEach(subjects, s => s.Dispose());
    }

    private void Same(ScoredSequence sequence, ScoringSubject subject, SequenceScore score, double rounding = Rounding)
    {
        var logs = fixture.Logs(sequence.Tokens, subject);
        var places = Enumerable.Range(sequence.First, sequence.Scored).ToList();
        Assert.Equal(places.Sum(t => logs[t - 1][sequence.Tokens.Span[t]]), score.LogLikelihood, rounding);
        Assert.Equal(places.All(t => logs[t - 1].Max() == logs[t - 1][sequence.Tokens.Span[t]]), score.Greedy);
    }

    // With a common start of any length, repeated sequences, and such as differ in the last token only.
    private static List<ScoredSequence> Sequences(Random random)
    {
        var prompt = Tokens(random, random.Next(1, 20));
        var count = random.Next(1, 4);
        var ends = Enumerable.Range(0, count).Select(_ => Tokens(random, random.Next(3) == 0 ? 1 : random.Next(1, 8))).ToList();
        return [.. ends.Select(end => new ScoredSequence(new[] { 1 }.Concat(prompt).Concat(end).ToArray(), 1 + prompt.Length - random.Next(0, Math.Min(3, prompt.Length))))];
    }

    private static int[] Tokens(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(3, 77))];

    [Fact]
    public void Choices_are_scored_after_start_token_and_prompt_and_adapters_know_their_tasks()
    {
        ImmutableArray<EvaluationItem> items =
        [
            Choice("C:ked=", 1, "ddd", "ked", "kbd", "dek"), Choice("C:lhflbb=", 3, "lhfkbb", "LHFLBB", "bblfhl", "lhflbb"), Choice("C:ikajle=", 1, "eljaki", "ikajle", "ikajld", "IKAJLE"),
            Choice("S:11939=", 0, "11399", "11939", "11899", "99999"), Choice("S:4327=", 0, "2347", "7234", "8347", "4327"), Choice("S:24378=", 2, "88888", "24378", "23478", "03478"),
        ];
        var set = Set(EvaluationKind.MultipleChoice, items);
        var subjects = fixture.Subjects();
        var whole = fixture.Scorer(new()).Score(set, new(0, 6), subjects, TestContext.Current.CancellationToken);
        Assert.All(whole, p => Assert.Null(p.ProblemFor(set)));
        Assert.Equal([true, true, true], Enumerable.Range(0, 3).Select(i => ((ChoicePrediction)whole[1].Items[i]).Chosen == ((MultipleChoiceItem)items[i]).Answer));
        Assert.Equal([true, true, true], Enumerable.Range(3, 3).Select(i => ((ChoicePrediction)whole[2].Items[i]).Chosen == ((MultipleChoiceItem)items[i]).Answer));

        var first = (ChoicePrediction)whole[1].Items[0];
        Assert.Equal([3, 3, 3, 3], first.Tokens);
        Assert.Equal([3, 3, 3, 3], first.Bytes);
        var tokens = fixture.Tokens.Encode("C:ked=ked", true);
        Assert.Equal(1, tokens[0]);
        Same(new(tokens, 7), subjects[1], new(first.LogLikelihoods[1], Greedy: true));

        // Ranges, other subjects beside, and other limits: the same to rounding.
        var part = fixture.Scorer(new(Tokens: 30, Logits: 200, Subjects: 1)).Score(set, new(2, 3), [subjects[2], subjects[3]], TestContext.Current.CancellationToken);
        for (var i = 0; i < 3; i++)
            for (var c = 0; c < 4; c++)
                for (var s = 0; s < 2; s++)
                    Assert.Equal(((ChoicePrediction)whole[s + 2].Items[i + 2]).LogLikelihoods[c], ((ChoicePrediction)part[s].Items[i]).LogLikelihoods[c], Rounding);
        Array.ForEach(subjects, s => s.Dispose());
    }

    [Fact]
    public void The_sample_sets_give_what_transformers_and_PEFT_gave_item_for_item()
    {
        string[] tasks = ["copy", "reverse", "upper", "addmod", "sort", "last"];
        string[] rows = ["base", .. tasks.Concat(["prose", "log"]).Select(a => "adapter:" + a)];
        var subjects = rows.Select(r => ScoringSubject.Of(r == "base" ? Kernels.Models.ActiveAdapters.None : fixture.Load(r.Split(':')[1]))).ToArray();
        using var expected = SafetensorsFile.Open(Path.Combine(Fixtures.Root, "trained", "expected_loglik.safetensors"));
        for (var t = 0; t < tasks.Length; t++)
        {
            Assert.True(EvaluationSetReader.TryRead(File.ReadAllBytes(Path.Combine(Fixtures.Repository, "samples", "sets", tasks[t] + ".jsonl")), out var set, out var problems), string.Join(' ', problems));
            var predictions = fixture.Scorer(new()).Score(set, new(0, 100), subjects, TestContext.Current.CancellationToken);
            for (var s = 0; s < rows.Length; s++)
            {
                var numbers = expected.ReadDouble(expected.Find("loglik." + rows[s])!).AsSpan(400 * t, 400);
                for (var i = 0; i < 400; i++)
                    Assert.Equal(numbers[i], ((ChoicePrediction)predictions[s].Items[i / 4]).LogLikelihoods[i % 4], 1e-4);
            }
        }

        Array.ForEach(subjects, s => s.Dispose());
    }

    [Fact]
    public void Whoever_registers_a_base_model_knows_the_architectures_that_are_computed() =>
        Assert.Equal(Kernels.Models.DecoderLayout.Known.Order(StringComparer.Ordinal), BaseModelInspection.Architectures);

    [Fact]
    public void A_text_is_scored_token_by_token_once_in_windows_that_the_model_can_read()
    {
        var random = new Random(3);
        var text = string.Concat(Enumerable.Range(0, 150).Select(_ => Letters[random.Next(Letters.Length)]));
        var windows = new ItemTokens(fixture.Tokens, 64, "").Windows(text);
        Assert.Equal((150, 3), (windows.Sum(w => w.Scored), windows.Count));
        Assert.All(windows, w => Assert.InRange(w.Read, 1, 64));
        Assert.Equal(fixture.Tokens.Encode(text, false), windows.SelectMany(w => w.Tokens.ToArray().Skip(w.First)));
        // The last window sees as much as fits.
        Assert.Equal(64, windows[^1].Read);

        var set = Set(EvaluationKind.Perplexity, [new PerplexityItem(null, text), new PerplexityItem(null, "ab")]);
        using var subject = ScoringSubject.Of(fixture.Load("copy"));
        var predictions = fixture.Scorer(new(Tokens: 100)).Score(set, new(0, 2), [subject], TestContext.Current.CancellationToken)[0];
        var prediction = (PerplexityPrediction)predictions.Items[0];
        Assert.Equal((150, 150), (prediction.Tokens, prediction.Bytes));
        var expected = windows.Sum(w => fixture.Logs(w.Tokens, subject) is var logs ? Enumerable.Range(w.First, w.Scored).Sum(t => logs[t - 1][w.Tokens.Span[t]]) : 0);
        Assert.Equal(expected, prediction.LogLikelihood, 10 * Rounding);
    }

    [Fact]
    public void What_is_written_is_the_likeliest_token_after_the_likeliest()
    {
        ImmutableArray<EvaluationItem> items =
        [
            new GenerationItem(null, "C:ked=", ["ked"], 8, ["\n"]), new GenerationItem(null, "C:lhflbb=", ["lhflbb"], 8, ["\n"]),
            new GenerationItem(null, "S:4327=", ["2347"], 8, ["\n"]), new GenerationItem(null, "C:ab=", ["never"], 2, ["b"]),
        ];
        var set = Set(EvaluationKind.Generation, items);
        var subjects = fixture.Subjects();
        foreach (var limits in new ScoringLimits[] { new(), new(Tokens: 40, Subjects: 2) })
        {
            var predictions = fixture.Scorer(limits).Score(set, new(0, 4), subjects, TestContext.Current.CancellationToken);
            Assert.Equal([true, true], predictions[1].Items.Take(2).Cast<GenerationPrediction>().Select(p => p.Match));
            Assert.True(((GenerationPrediction)predictions[2].Items[2]).Match);
            for (var s = 0; s < subjects.Length; s++)
                for (var i = 0; i < items.Length; i++)
                    Assert.Equal(Written((GenerationItem)items[i], subjects[s]), ((GenerationPrediction)predictions[s].Items[i]).Text);
        }

        Array.ForEach(subjects, s => s.Dispose());
    }

    // From scratch for each token.
    private string Written(GenerationItem item, ScoringSubject subject)
    {
        List<int> tokens = [.. fixture.Tokens.Encode(item.Prompt, true)];
        var prompt = tokens.Count;
        while (tokens.Count - prompt < item.MaxTokens)
        {
            var logs = fixture.Logs(tokens.ToArray(), subject)[^1];
            var next = Array.IndexOf(logs, logs.Max());
            if (next is 2 or 3)
                break;
            tokens.Add(next);
        }

        var text = fixture.Tokens.Decode([.. tokens.Skip(prompt)], true);
        var stop = item.Stop.Select(s => text.IndexOf(s, StringComparison.Ordinal)).Where(at => at >= 0).DefaultIfEmpty(text.Length).Min();
        return text[..stop];
    }

    [Fact]
    public void Sequences_that_are_too_long_lose_their_beginning()
    {
        var tokens = new ItemTokens(fixture.Tokens, 10, "");
        var sequence = tokens.After("abcdefghijklm", "op");
        Assert.Equal((10, 2), (sequence.Read, sequence.Scored));
        Assert.Equal(fixture.Tokens.Encode("efghijklmop", false), sequence.Tokens.ToArray());
        // A continuation longer than the model reads is scored as far as anything is before it.
        Assert.Equal((10, 10), tokens.After("a", "bcdefghijklmnop") is var longer ? (longer.Read, longer.Scored) : default);
        Assert.Equal((8, 3), tokens.Prompt("abcdefghijklm", 3) is var prompt ? (prompt.Prompt.Length, prompt.MaxTokens) : default);
    }

    [Theory]
    [InlineData("bytelevel_gpt2", "the cat ", "", "sat down")]
    [InlineData("bytelevel_gpt2", "the cat", " ", "sat down")]
    [InlineData("bytelevel_split", "", "", "sat")]
    [InlineData("bytelevel_split", "the cat ", "", "sat")]
    [InlineData("bpe_byte_fallback", "the cat", " ", "sat")]
    [InlineData("unigram_metaspace", "the cat ", "", "sat")]
    public void Tokens_across_the_seam_are_scored_whole_and_something_is_always_before(string name, string prompt, string separator, string choice)
    {
        Assert.True(Tokenizer.TryLoad(Path.Combine(Fixtures.Root, "tokenizers", name), out var tokenizer, out var problems), string.Join(' ', problems));
        var sequence = new ItemTokens(tokenizer, 100, separator).After(prompt, choice);
        var whole = tokenizer.Encode(prompt + separator + choice, false);
        Assert.Equal(whole, sequence.Tokens.ToArray()[^whole.Length..]);
        Assert.InRange(sequence.First, 1, sequence.Tokens.Length - 1);
        // All of the choice is scored, and of what goes before no more than the space.
        var scored = tokenizer.Decode(sequence.Tokens.Span[sequence.First..], true);
        Assert.EndsWith(choice, scored, StringComparison.Ordinal);
        Assert.Equal(choice, scored.Trim());
        // Nothing at the end: that would be a text that is over.
        Assert.NotEqual(tokenizer.EndId, sequence.Tokens.Span[^1]);
    }

    [Fact]
    public void No_tensor_is_left_after_many_batches()
    {
        var random = new Random(5);
        var subjects = fixture.Subjects();
        var items = Enumerable.Range(0, 12).Select(_ => (IReadOnlyList<ScoredSequence>)Sequences(random)).ToList();
        var scorer = new SequenceScorer(fixture.Model, new(Tokens: 64, Logits: 2000, Subjects: 3));
        scorer.Score(items, subjects, greedy: true, TestContext.Current.CancellationToken);
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        for (var i = 0; i < 4; i++)
            scorer.Score(items, subjects, greedy: true, TestContext.Current.CancellationToken);
        var set = Set(EvaluationKind.Generation, [new GenerationItem(null, "C:ked=", ["ked"], 8, ["\n"])]);
        fixture.Scorer(new()).Score(set, new(0, 1), subjects, TestContext.Current.CancellationToken);
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        Array.ForEach(subjects, s => s.Dispose());
    }

    private static MultipleChoiceItem Choice(string prompt, int answer, params string[] choices) => new(null, prompt, [.. choices], answer);

    // Through the file format, which is the only way to a set.
    private static EvaluationSet Set(EvaluationKind kind, ImmutableArray<EvaluationItem> items)
    {
        var lines = items.Select(i => JsonSerializer.Serialize<object>(i, ApiJson.Options));
        var text = string.Join('\n', lines.Prepend($$"""{"evaluationSet":1,"kind":"{{ApiJson.Name(kind)}}"}"""));
        Assert.True(EvaluationSetReader.TryRead(Encoding.UTF8.GetBytes(text), out var set, out var problems), string.Join(' ', problems));
        return set;
    }
}

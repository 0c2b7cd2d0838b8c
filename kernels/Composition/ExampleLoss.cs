using Marketplace.Core.Composition;
using Marketplace.Kernels.Evaluation;
using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Composition;

/// <summary>How well a model does on examples.</summary>
/// <param name="Loss">Mean over the examples.</param>
/// <param name="Accuracy">Of the examples with choices the share where the right one is the likeliest; null where there are none.</param>
internal sealed record ExampleScore(double Loss, double? Accuracy);

/// <summary>The loss of examples; see <see cref="CompositionMethods"/> for the objectives.</summary>
/// <param name="model">The model.</param>
/// <param name="objective">Which loss.</param>
/// <param name="temperature">Divides logits or log-likelihoods of choices.</param>
internal sealed class ExampleLoss(LanguageModel model, string objective, double temperature)
{
    private const double Absent = -1e9; // of a choice that an example does not have

    // What a pass may hold at once: tokens, and logits of scored places. Passes are computed side by side, by one thread each.
    private readonly (long Tokens, long Logits) limits = model.Device.type == DeviceType.CPU ? (1 << 10, 1 << 25) : (1 << 14, 1 << 28);

    /// <summary>Parts of a batch that fit one pass.</summary>
    public IEnumerable<IReadOnlyList<Example>> Passes(IReadOnlyList<Example> examples)
    {
        for (var first = 0; first < examples.Count;)
        {
            var (rows, longest, places, after) = (0L, 0L, 0L, first);
            for (; after < examples.Count; after++)
            {
                var parts = Rows(examples[after], scored: false);
                (rows, longest, places) = (rows + parts.Count, Math.Max(longest, parts.Max(r => r.Input.Length)), places + parts.Sum(r => r.Targets.Length));
                if (after > first && (rows * longest > limits.Tokens || places * model.Config.VocabularySize > limits.Logits))
                    break;
            }

            yield return [.. Enumerable.Range(first, after - first).Select(i => examples[i])];
            first = after;
        }
    }

    /// <summary>The model.</summary>
    public LanguageModel Model => model;

    /// <summary>The sum of the losses of examples that fit one pass, a tensor of one number.</summary>
    public Tensor Of(ActiveAdapters adapters, IReadOnlyList<Example> examples)
    {
        using var scope = NewDisposeScope();
        var rows = examples.Select(e => Rows(e, scored: false)).ToList();
        return Losses(adapters, examples, rows, out _).sum().MoveToOuterDisposeScope();
    }

    /// <summary>Loss and accuracy of any number of examples.</summary>
    /// <param name="adapters">Makes what is active, for one pass.</param>
    /// <param name="examples">The examples.</param>
    public ExampleScore Score(Func<ActiveAdapters> adapters, IReadOnlyList<Example> examples)
    {
        var scores = SideBySide.Run(model, [.. Passes(examples)], pass =>
        {
            using var frozen = no_grad();
            using var scope = NewDisposeScope();
            var rows = pass.Select(e => Rows(e, scored: true)).ToList();
            var loss = Losses(adapters(), pass, rows, out var choices).sum().to(ScalarType.Float64).Only<double>();
            var best = choices?.argmax(1).cpu().data<long>().ToArray() ?? [];
            return (Loss: loss, Right: best.Where((choice, i) => pass[i].HasChoices && choice == pass[i].Answer).Count(), Chosen: best.Where((_, i) => pass[i].HasChoices).Count());
        });
        var chosen = scores.Sum(s => s.Chosen);
        return new(examples.Count == 0 ? 0 : scores.Sum(s => s.Loss) / examples.Count, chosen == 0 ? null : (double)scores.Sum(s => s.Right) / chosen);
    }

    // One row for each choice where choices are compared or scored; else that of the answer; else, where answers must not be looked at, the prompt.
    private List<Row> Rows(Example example, bool scored)
    {
        if (example.HasChoices && (scored || objective != CompositionMethods.Answer))
            return [.. example.Choices.Select(Row.Of)];
        var answer = example.Choices[example.Answer];
        return objective == CompositionMethods.Entropy && !example.IsText
            ? [new Row(answer.Tokens[..answer.First], answer.First - 1, new int[1], 0)]
            : [Row.Of(answer, example.Answer)];
    }

    // The loss of each example; with the log-likelihoods of choices, shape (examples, choices), where there are any.
    private Tensor Losses(ActiveAdapters adapters, IReadOnlyList<Example> examples, List<List<Row>> rows, out Tensor? choices)
    {
        var flat = rows.SelectMany(r => r).ToList();
        using var batch = TokenBatch.Of([.. flat.Select(r => r.Input)], model.Device);
        long[] places = [.. flat.SelectMany((row, i) => Enumerable.Range(row.First, row.Targets.Length).Select(t => ((long)i * batch.Columns) + t))];
        var hidden = model.Hidden(batch, adapters);
        var logits = model.Logits(hidden.reshape(-1, hidden.shape[2]).index_select(0, Send(places)).unsqueeze(0), adapters).squeeze(0); // (N, V)
        var logs = logits.log_softmax(-1);
        var width = examples.Max(e => e.Choices.Length);
        long[] cells = [.. rows.SelectMany((list, e) => list.SelectMany(row => Enumerable.Repeat(((long)e * width) + row.Choice, row.Targets.Length)))];
        var targets = Send([.. flat.SelectMany(r => r.Targets).Select(t => (long)t)]).unsqueeze(1);
        Tensor Sums(Tensor of) => Sum(of.gather(1, targets).squeeze(1), cells, examples.Count * width).view(examples.Count, width);
        var sums = Sums(logs);

        choices = examples.Any(e => e.HasChoices) && rows.Any(r => r.Count > 1) ? sums.masked_fill(Missing(examples, width), Scalars.Of(Absent)) : null;
        if (objective == CompositionMethods.Answer)
        {
            var lengths = examples.Select(e => (float)e.Choices[e.Answer].Scored).ToArray();
            return (temperature == 1 ? sums : Sums(Tempered(logits))).gather(1, Answers(examples)).squeeze(1).neg().div(from_array(lengths).to(model.Device));
        }

        var shares = choices?.div(Scalars.Of(temperature)).log_softmax(-1);
        if (objective == CompositionMethods.Choices)
            return (shares ?? sums.Minus(sums)).gather(1, Answers(examples)).squeeze(1).neg();
        return Entropies(examples, rows, temperature == 1 ? logs : Tempered(logits), shares);
    }

    // Of the distribution over choices; where there are none, the mean over places of that of the next token.
    private Tensor Entropies(IReadOnlyList<Example> examples, List<List<Row>> rows, Tensor logs, Tensor? shares)
    {
        var places = logs.exp().mul(logs).sum(-1).neg(); // (N)
        long[] owners = [.. rows.SelectMany((list, e) => list.SelectMany(row => Enumerable.Repeat((long)e, row.Targets.Length)))];
        var lengths = rows.Select(list => (float)Math.Max(1, list.Sum(r => r.Targets.Length))).ToArray();
        var ofTokens = Sum(places, owners, examples.Count).div(from_array(lengths).to(model.Device));
        if (shares is null)
            return ofTokens;
        var ofChoices = shares.exp().mul(shares).sum(-1).neg();
        return where(from_array(examples.Select(e => e.HasChoices).ToArray()).to(model.Device), ofChoices, ofTokens);
    }

    private Tensor Tempered(Tensor logits) => logits.div(Scalars.Of(temperature)).log_softmax(-1);

    private Tensor Sum(Tensor values, long[] cells, int count) =>
        zeros(count, dtype: values.dtype, device: model.Device).index_add(0, Send(cells), values, Scalars.Of(1));

    private Tensor Missing(IReadOnlyList<Example> examples, int width) =>
        from_array(examples.SelectMany(e => Enumerable.Range(0, width).Select(c => c >= e.Choices.Length)).ToArray()).view(examples.Count, width).to(model.Device);

    private Tensor Answers(IReadOnlyList<Example> examples) => Send([.. examples.Select(e => (long)e.Answer)]).unsqueeze(1);

    private Tensor Send(long[] values) => from_array(values).to(model.Device);

    /// <summary>A sequence, and what it should say from one place on.</summary>
    private sealed record Row(ReadOnlyMemory<int> Input, int First, int[] Targets, int Choice)
    {
        // The last token is said and not read.
        public static Row Of(ScoredSequence sequence, int index) => new(sequence.Tokens[..^1], sequence.First - 1, sequence.Tokens[sequence.First..].ToArray(), index);
    }
}

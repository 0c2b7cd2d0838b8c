using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Train;

/// <summary>Scores choices by log-likelihood: the sum of log p of a choice's tokens after &lt;s&gt; and the prompt.</summary>
internal static class Scoring
{
    private const int Rows = 128;

    /// <summary>For each item whether the likeliest choice is the right one, the first of equals.</summary>
    public static bool[] Right(LanguageModel model, ActiveAdapters adapters, IReadOnlyList<Item> items) =>
        [.. items.Chunk(Rows).SelectMany(chunk => Score(model, adapters, chunk)).Zip(items, (scores, item) => Array.IndexOf(scores, scores.Max()) == item.Answer)];

    /// <summary>Log-likelihoods of each item's choices. Prompts are of one length, and so are choices; each prompt is computed once.</summary>
    private static double[][] Score(LanguageModel model, ActiveAdapters adapters, Item[] items)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var choices = items[0].Choices.Length;
        int[][] prompts = [.. items.Select(i => (int[])[Symbols.Start, .. Symbols.Encode(i.Prompt)])];
        int[][] answers = [.. items.SelectMany(i => i.Choices.Select(Symbols.Encode))];
        using var cache = new KeyValueCache(model.Config.Layers.Length);
        using var promptBatch = TokenBatch.Of([.. prompts.Select(p => (ReadOnlyMemory<int>)p)], model.Device);
        var last = model.Hidden(promptBatch, adapters, cache).narrow(1, prompts[0].Length - 1, 1);
        using var continued = cache.Select([.. Enumerable.Range(0, answers.Length).Select(a => a / choices)]);
        using var answerBatch = TokenBatch.Of(
            [.. answers.Select(a => (ReadOnlyMemory<int>)a[..^1])], model.Device, firstPositions: [.. answers.Select(_ => prompts[0].Length)]);
        var hidden = cat([last.repeat_interleave(choices, 0), model.Hidden(answerBatch, adapters, continued)], 1);
        var targets = from_array(answers.SelectMany(a => a.Select(t => (long)t)).ToArray()).view(answers.Length, -1, 1);
        var sums = model.Logits(hidden, adapters).to(ScalarType.Float64).log_softmax(-1).gather(2, targets).squeeze(2).sum(1);
        return [.. sums.data<double>().ToArray().Chunk(choices)];
    }
}

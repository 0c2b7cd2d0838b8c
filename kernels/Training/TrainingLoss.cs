using Marketplace.Kernels.Models;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Training;

/// <summary>A text to learn.</summary>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Weights">How much it counts that each token is foretold from those before it; of the first it can't be.</param>
public sealed record TrainingText(int[] Tokens, float[] Weights);

/// <summary>What training makes small.</summary>
public static class TrainingLoss
{
    /// <summary>The weighted mean of −log p of the tokens that count. Logits are computed only where a token counts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="adapters">What is active.</param>
    /// <param name="texts">The batch; at least one token of it counts.</param>
    public static Tensor Of(LanguageModel model, ActiveAdapters adapters, IReadOnlyList<TrainingText> texts)
    {
        using var scope = NewDisposeScope();
        using var batch = TokenBatch.Of([.. texts.Select(t => (ReadOnlyMemory<int>)t.Tokens)], model.Device);
        var (places, targets, weights) = (new List<long>(), new List<long>(), new List<float>());
        for (var row = 0; row < texts.Count; row++)
            for (var t = 1; t < texts[row].Tokens.Length; t++)
            {
                if (texts[row].Weights[t] == 0)
                    continue;
                places.Add(((long)row * batch.Columns) + t - 1);
                targets.Add(texts[row].Tokens[t]);
                weights.Add(texts[row].Weights[t]);
            }

        var hidden = model.Hidden(batch, adapters);
        var chosen = hidden.view(-1, hidden.shape[^1]).index_select(0, from_array(places.ToArray()).to(model.Device)).unsqueeze(0);
        var logs = model.Logits(chosen, adapters).squeeze(0).log_softmax(-1);
        var picked = logs.gather(1, from_array(targets.ToArray()).to(model.Device).unsqueeze(1)).squeeze(1);
        var total = picked.mul(from_array(weights.ToArray()).to(model.Device)).sum();
        return total.div(Scalars.Of(-weights.Sum(w => (double)w))).MoveToOuterDisposeScope();
    }
}

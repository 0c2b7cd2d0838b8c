using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Composition;
using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Composition;

/// <summary>The held-out loss after an epoch.</summary>
/// <param name="Epoch">0 before the first step.</param>
/// <param name="Score">On the held-out examples.</param>
internal sealed record EpochScore(int Epoch, ExampleScore Score);

/// <summary>What learning went through.</summary>
/// <param name="Losses">Of each step the loss on its batch, or of each evaluation of a search its value.</param>
/// <param name="HeldOut">After each epoch; empty where nothing is held out.</param>
/// <param name="Before">On the held-out examples, else on the others: the start.</param>
/// <param name="After">The same with what was learned.</param>
internal sealed record LearningLog(ImmutableArray<double> Losses, ImmutableArray<EpochScore> HeldOut, ExampleScore Before, ExampleScore After);

/// <summary>Told how far learning is: steps done, all steps, and what is being done.</summary>
internal delegate void LearningProgress(int done, int total, string current);

/// <summary>Learns the tables of composed adapters from examples, by gradients or by values alone. Same seed, same device kind: same tables.</summary>
internal static class Learning
{
    /// <summary>Leaves the tables at what was learned.</summary>
    /// <param name="model">The model; it does not change.</param>
    /// <param name="composed">What is learned.</param>
    /// <param name="examples">What is learned from.</param>
    /// <param name="heldOut">What decides when to stop and what to keep; may be empty.</param>
    /// <param name="settings">Method and parameters.</param>
    /// <param name="progress">Told after each step.</param>
    /// <param name="cancellation">Looked at between steps.</param>
    public static LearningLog Run(
        LanguageModel model, ComposedAdapters composed, IReadOnlyList<Example> examples, IReadOnlyList<Example> heldOut, CompositionSettings settings,
        LearningProgress? progress = null, CancellationToken cancellation = default)
    {
        var loss = new ExampleLoss(model, settings.Choice("objective"), settings.Number("temperature"));
        ExampleScore Score() => loss.Score(() => composed.Active(), heldOut.Count > 0 ? heldOut : examples);
        var before = Score();
        var (losses, epochs) = settings.Method.Name == CompositionMethods.Search
            ? (Search(composed, examples, loss, settings, progress, cancellation), new List<EpochScore>())
            : Descend(composed, examples, heldOut, loss, settings, progress, cancellation);
        return new([.. losses], heldOut.Count > 0 ? [new(0, before), .. epochs] : [], before, Score());
    }

    /// <summary>Splits examples by a random order into those to learn from and those to hold out; at least one is learned from.</summary>
    public static (IReadOnlyList<Example> Learned, IReadOnlyList<Example> HeldOut) Split(IReadOnlyList<Example> examples, double share, ulong seed)
    {
        var order = Shuffled(examples.Count, new Philox(seed, "held out"));
        var held = Math.Min((int)Math.Round(share * examples.Count, MidpointRounding.AwayFromZero), examples.Count - 1);
        return ([.. order.Skip(held).Order().Select(i => examples[i])], [.. order.Take(held).Order().Select(i => examples[i])]);
    }

    private static (IReadOnlyList<double> Losses, List<EpochScore> Epochs) Descend(
        ComposedAdapters composed, IReadOnlyList<Example> examples, IReadOnlyList<Example> heldOut, ExampleLoss loss, CompositionSettings settings,
        LearningProgress? progress, CancellationToken cancellation)
    {
        var (batch, epochs, most) = (settings.WholeNumber("batch"), settings.WholeNumber("epochs"), settings.WholeNumber("steps"));
        var perEpoch = (examples.Count + batch - 1) / batch;
        var total = most > 0 ? Math.Min(most, epochs * perEpoch) : epochs * perEpoch;
        var (rate, falls) = (settings.Number("learning_rate"), settings.Choice("schedule") == "linear");
        using var optimizer = new AdamW(composed.Tables.Values, settings.Number("weight_decay"));
        var step = new Step(composed, loss, settings);
        var (losses, scores) = (new List<double>(), new List<EpochScore>());
        var best = heldOut.Count > 0 ? (Loss: loss.Score(() => composed.Active(), heldOut).Loss, Epoch: 0, Tables: composed.Download()) : default;
        for (var epoch = 1; losses.Count < total; epoch++)
        {
            var order = Shuffled(examples.Count, new Philox(settings.Seed, $"epoch {epoch}"));
            for (var first = 0; first < order.Length && losses.Count < total; first += batch)
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                var (value, gradients) = step.Take([.. order.Skip(first).Take(batch).Select(i => examples[i])], losses.Count);
                losses.Add(value);
                foreach (var gradient in gradients)
                    scope.Attach(gradient);
                optimizer.Step(gradients, falls ? rate * (total - losses.Count + 1) / total : rate, settings.Number("clip"));
                progress?.Invoke(losses.Count, total, $"epoch {epoch}, loss {losses[^1]:g4}");
            }

            if (heldOut.Count == 0)
                continue;
            var score = loss.Score(() => composed.Active(), heldOut);
            scores.Add(new(epoch, score));
            if (score.Loss < best.Loss)
                best = (score.Loss, epoch, composed.Download());
            else if (settings.WholeNumber("patience") is > 0 and var patience && epoch - best.Epoch >= patience)
                break;
        }

        if (heldOut.Count > 0)
            composed.Upload(best.Tables);
        return (losses, scores);
    }

    /// <summary>Searches for the point of the smallest loss and l1.</summary>
    /// <param name="loss">Of a point, without l1.</param>
    /// <param name="start">Where to start.</param>
    /// <param name="settings">Bounds, budget and seed.</param>
    /// <param name="progress">Told after each evaluation.</param>
    /// <param name="cancellation">Looked at before each evaluation.</param>
    public static SearchResult Search(Func<double[], double> loss, double[] start, CompositionSettings settings, LearningProgress? progress, CancellationToken cancellation)
    {
        var (done, budget) = (0, settings.WholeNumber("evaluations"));
        return CmaEs.Minimize(
            point =>
            {
                cancellation.ThrowIfCancellationRequested();
                var value = loss(point) + (settings.Number("l1") * point.Average(Math.Abs));
                progress?.Invoke(++done, budget, $"loss {value:g4}");
                return value;
            },
            start, settings.Number("bound"), settings.Number("sigma"), budget, settings.Seed);
    }

    private static IReadOnlyList<double> Search(
        ComposedAdapters composed, IReadOnlyList<Example> examples, ExampleLoss loss, CompositionSettings settings, LearningProgress? progress, CancellationToken cancellation)
    {
        var start = composed.Download();
        var found = Search(
            point =>
            {
                composed.Upload(Tables(point));
                return loss.Score(() => composed.Active(), examples).Loss;
            },
            [.. start.Values.SelectMany(t => t.Values)], settings, progress, cancellation);
        composed.Upload(Tables(found.Best));
        return found.Values;

        Dictionary<string, Matrix> Tables(double[] point)
        {
            var offset = 0;
            return start.ToDictionary(t => t.Key, t => new Matrix(t.Value.Rows, t.Value.Columns, point[offset..(offset += t.Value.Values.Length)]), StringComparer.Ordinal);
        }
    }

    // Fisher and Yates.
    private static int[] Shuffled(int count, Philox random)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        for (var i = count - 1; i > 0; i--)
        {
            var j = random.NextIndex(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    /// <summary>Loss and gradients of one batch, pass by pass, so that a batch of any size fits.</summary>
    private sealed class Step(ComposedAdapters composed, ExampleLoss loss, CompositionSettings settings)
    {
        private readonly double dropout = settings.Has("dropout") ? settings.Number("dropout") : 0;

        /// <summary>Gradients are in the order of the tables, and the caller's to dispose.</summary>
        public (double Loss, Tensor[] Gradients) Take(IReadOnlyList<Example> batch, int number)
        {
            var masks = dropout > 0 ? Masks(number) : null;
            var passes = SideBySide.Run(loss.Model, [.. loss.Passes(batch)], pass => Pass(pass, batch.Count, masks));
            var (total, sums) = (passes.Sum(p => p.Loss), passes[0].Gradients);
            // In the order of the passes, whoever was first.
            foreach (var (_, gradients) in passes.Skip(1))
            {
                foreach (var (sum, gradient) in sums.Zip(gradients))
                {
                    sum.Accumulate(gradient);
                    gradient.Dispose();
                }
            }

            if (settings.Number("l1") is > 0 and var factor)
            {
                using var frozen = no_grad();
                foreach (var (sum, table) in sums.Zip(composed.Tables.Values))
                {
                    sum.Accumulate(table.sign(), factor / composed.Count);
                    total += factor / composed.Count * table.abs().sum().Only<float>();
                }
            }

            return (total, sums);
        }

        // By leaves of its own, so that passes don't add to the same gradients at once.
        private (double Loss, Tensor[] Gradients) Pass(IReadOnlyList<Example> pass, int count, Dictionary<Tensor, Tensor>? masks)
        {
            using var scope = NewDisposeScope();
            var leaves = new Dictionary<Tensor, Tensor>(ReferenceEqualityComparer.Instance);
            foreach (var table in composed.Tables.Values)
                leaves.Add(table, table.detach().requires_grad_());
            var sum = loss.Of(composed.Active(table => masks is null ? leaves[table] : leaves[table].mul(masks[table])), pass).div(Scalars.Of(count));
            sum.backward();
            return (sum.Only<float>(), [.. composed.Tables.Values.Select(t => (leaves[t].grad ?? zeros_like(t)).DetachFromDisposeScope())]);
        }

        // One mask for all passes of a step: 0 or 1 ∕ (1 − p).
        private Dictionary<Tensor, Tensor> Masks(int number)
        {
            var masks = new Dictionary<Tensor, Tensor>(ReferenceEqualityComparer.Instance);
            foreach (var (group, table) in composed.Tables)
            {
                var random = new Philox(settings.Seed, $"dropout {number} {group}");
                var kept = new float[table.numel()];
                for (var i = 0; i < kept.Length; i++)
                    kept[i] = random.NextDouble() < dropout ? 0 : (float)(1 / (1 - dropout));
                masks.Add(table, from_array(kept).view(table.shape).to(table.device));
            }

            return masks;
        }
    }
}

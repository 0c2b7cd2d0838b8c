using Marketplace.Core;
using Marketplace.Core.Composition;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Composition;
using Marketplace.Kernels.Merges;
using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Composition;

/// <summary>Learning through a model: the sample library's, whose adapters are each right on their own task and wrong on the others.</summary>
public class LearningTests
{
    public static TheoryData<string, string, string> Methods => new()
    {
        { "atlas", "answer", "module" }, { "atlas", "choices", "global" }, { "atlas", "entropy", "layer" }, { "scalearn", "answer", "module" }, { "axis", "answer", "module" },
    };

    [Theory]
    [MemberData(nameof(Methods))]
    public void Gradients_through_the_model_are_central_differences(string method, string objective, string granularity)
    {
        using var scope = NewDisposeScope();
        using var library = new SampleLibrary("reverse", "sort", "prose");
        var parameters = new List<(string, RecipeValue)> { ("objective", RecipeValue.Of(objective)) };
        if (method == "atlas")
            parameters.Add(("granularity", RecipeValue.Of(granularity)));
        using var composed = library.Compose(CompositionSettings.Of(method, 1, [.. parameters]));
        var items = SampleLibrary.Items("reverse").Take(4).ToList();
        var loss = new ExampleLoss(library.Model, objective, 1);

        // At 0 or near it the loss of choices is flat; go where it is not.
        var point = composed.Download();
        foreach (var (value, i) in point.Values.SelectMany(t => t.Values.Select((_, i) => (t, i))))
            value.Values[i] += 0.3 * Math.Sin(i + 1);
        composed.Upload(point);
        using (var value = loss.Of(composed.Active(), items))
            value.backward();
        var gradient = composed.Tables.ToDictionary(t => t.Key, t => KernelDevice.Download(t.Value.grad!));
        var length = Math.Sqrt(gradient.Values.Sum(g => g.Values.Sum(x => x * x)));
        Assert.True(length > 1e-3);

        // Along the gradient its length, across a fixed direction the inner product. Float32 gives the loss to about 1e-6, so that a step of h costs 1e-6 ∕ h; its square, by which
        // the difference itself errs, stays below a hundredth.
        var size = Math.Sqrt(gradient.Values.Sum(g => g.Values.Length));
        foreach (var direction in new[] { gradient.ToDictionary(g => g.Key, g => Times(g.Value, 1 / length)), gradient.ToDictionary(g => g.Key, g => Wave(g.Value, 1 / size)) })
        {
            const double Step = 0.005;
            var slope = (At(direction, Step) - At(direction, -Step)) / (2 * Step);
            var expected = gradient.Sum(g => g.Value.Values.Zip(direction[g.Key].Values).Sum(p => p.First * p.Second));
            Assert.InRange(Math.Abs(slope - expected), 0, (0.01 * length) + 2e-3);
        }

        double At(Dictionary<string, Matrix> direction, double step)
        {
            composed.Upload(point.ToDictionary(t => t.Key, t => new Matrix(t.Value.Rows, t.Value.Columns, [.. t.Value.Values.Zip(direction[t.Key].Values).Select(p => p.First + (step * p.Second))])));
            return loss.Score(() => composed.Active(), items).Loss * items.Count;
        }

        static Matrix Times(Matrix m, double factor) => new(m.Rows, m.Columns, [.. m.Values.Select(x => x * factor)]);
        static Matrix Wave(Matrix m, double factor) => new(m.Rows, m.Columns, [.. m.Values.Select((_, i) => factor * Math.Cos(2.1 * i))]);
    }

    [Fact]
    public void Coefficients_of_one_are_the_set_with_weights_of_one()
    {
        using var scope = NewDisposeScope();
        using var library = new SampleLibrary("reverse", "sort");
        using var composed = library.Compose(CompositionSettings.Of("atlas"));
        composed.Upload(composed.Download().ToDictionary(t => t.Key, t => new Matrix(2, 1, [1, 1])));
        Assert.True(ActiveAdapters.TryLoad(library.Model, [(library.Adapters[0], 1.0), (library.Adapters[1], 1.0)], out var sum, out _));
        using (sum)
            Assert.InRange(Difference(library.Model, composed.Active(), sum!), 0, 1e-5);
    }

    [Theory]
    [InlineData("atlas", 0.95)]
    [InlineData("scalearn", 0.85)]
    [InlineData("axis", 0.6)]
    [InlineData("search", 0.95)]
    public void From_a_few_examples_the_library_learns_a_task_and_what_is_exported_is_what_was_learned(string method, double least)
    {
        using var scope = NewDisposeScope();
        using var library = new SampleLibrary();
        var items = SampleLibrary.Items("copy");
        var settings = method switch
        {
            "search" => CompositionSettings.Of(method, 1, ("evaluations", 60)),
            "atlas" => CompositionSettings.Of(method, 1, ("granularity", RecipeValue.Of("global")), ("batch", 8)),
            _ => CompositionSettings.Of(method, 1, ("batch", 8), ("learning_rate", method == "axis" ? 0.1 : 0.03)),
        };
        using var composed = library.Compose(settings);
        var log = Learning.Run(library.Model, composed, [.. items.Take(16)], [.. items.Skip(16).Take(8)], settings, null, TestContext.Current.CancellationToken);
        var learned = library.Accuracy(composed.Active(), [.. items.Skip(24)]);
        TestContext.Current.TestOutputHelper?.WriteLine($"{method}: {log.Losses.Length} losses, {log.Before} -> {log.After}, {learned}");
        Assert.InRange(library.Accuracy(ActiveAdapters.None, [.. items.Skip(24)]), 0, 0.35);
        Assert.InRange(learned, least, 1);
        Assert.True(log.After.Loss < log.Before.Loss);
        Assert.Equal(log.HeldOut.Min(e => e.Score.Loss), method == "search" ? log.Before.Loss : log.After.Loss, 1e-6);

        using var exported = library.Export(settings, composed);
        Assert.True(ActiveAdapters.TryLoad(library.Model, exported, out var active, out _));
        using (active)
            Assert.InRange(Difference(library.Model, composed.Active(), active!), 0, 1e-4);
    }

    [Theory]
    [InlineData("ties")]
    [InlineData("karcher")]
    public void Weights_of_another_merge_are_searched_by_merging(string merge)
    {
        using var scope = NewDisposeScope();
        using var library = new SampleLibrary("reverse", "copy");
        var items = SampleLibrary.Items("copy");
        var settings = CompositionSettings.Of("search", 1, ("merge", RecipeValue.Of(merge)), ("evaluations", 14));
        var plan = library.Plan(settings);
        var (log, tables) = RecipeSearch.Run(library.Model, plan, library.Adapters, [.. items.Take(8)], [], settings, MergeResources.AllProcessors, null, TestContext.Current.CancellationToken);
        var weights = tables[""].Values;
        Assert.True(weights[1] > Math.Abs(weights[0]), string.Join(' ', weights));
        Assert.Equal((14, true), (log.Losses.Length, log.After.Loss < log.Before.Loss));
        Assert.Equal(log.Losses.Min(), log.After.Loss + (0.05 * weights.Average(Math.Abs)), 1e-5);
        Assert.Equal(merge, plan.Graph.Root.Method.Name);
        var recipe = new MergeRecipe(merge, [new("#0", Weight: weights[0]), new("#1", Weight: weights[1])], Seed: 1);
        Assert.True(MergePlan.TryCreate(recipe, library.Adapters, out var said, out _));
        Assert.All(
            TorchMerge.Run(RecipeSearch.With(plan, weights), library.Adapters, MergeResources.AllProcessors, cancellation: TestContext.Current.CancellationToken).Zip(TorchMerge.Run(said!, library.Adapters, MergeResources.AllProcessors, cancellation: TestContext.Current.CancellationToken)),
            pair => Assert.Equal(pair.Second.Delta.B.Values, pair.First.Delta.B.Values));
    }

    [Fact]
    public void Entropy_falls_without_a_look_at_the_answers()
    {
        using var scope = NewDisposeScope();
        using var library = new SampleLibrary("reverse", "copy");
        var items = SampleLibrary.Items("reverse").Take(12).ToList();
        var settings = CompositionSettings.Of("atlas", 1, ("objective", RecipeValue.Of("entropy")), ("epochs", 4), ("batch", 4));
        var (first, second) = (Run(items), Run([.. items.Select(i => i with { Answer = (i.Answer + 1) % 4 })]));
        Assert.True(first.Log.After.Loss < first.Log.Before.Loss);
        Assert.Equal(first.Log.Losses, second.Log.Losses);
        Assert.All(first.Tables.Zip(second.Tables), pair => Assert.Equal(pair.First.Value.Values, pair.Second.Value.Values));

        (LearningLog Log, SortedDictionary<string, Matrix> Tables) Run(List<Example> examples)
        {
            using var composed = library.Compose(settings);
            return (Learning.Run(library.Model, composed, examples, [], settings, null, TestContext.Current.CancellationToken), composed.Download());
        }
    }

    [Theory]
    [InlineData("scalearn")]
    [InlineData("search")]
    public void The_same_seed_learns_the_same(string method)
    {
        using var scope = NewDisposeScope();
        using var library = new SampleLibrary("reverse", "copy");
        var items = SampleLibrary.Items("reverse").Take(6).ToList();
        double[] Run(ulong seed)
        {
            var settings = method == "search" ? CompositionSettings.Of(method, seed, ("evaluations", 12)) : CompositionSettings.Of(method, seed, ("epochs", 2), ("batch", 4));
            using var composed = library.Compose(settings);
            Learning.Run(library.Model, composed, items, [], settings, null, TestContext.Current.CancellationToken);
            return [.. composed.Download().Values.SelectMany(t => t.Values)];
        }

        Assert.Equal(Run(1), Run(1));
        Assert.NotEqual(Run(1), Run(2));
    }

    [Fact]
    public void A_batch_in_several_passes_has_the_gradient_of_one()
    {
        using var scope = NewDisposeScope();
        using var library = new SampleLibrary("reverse", "copy");
        var items = SampleLibrary.Items("reverse").Take(6).ToList();
        var loss = new ExampleLoss(library.Model, "choices", 1);
        var together = Gradient(items);
        var apart = items.Select(i => Gradient([i])).Aggregate((x, y) => [.. x.Zip(y).Select(p => p.First + p.Second)]);
        Assert.All(together.Zip(apart), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
        // Far more than one pass holds.
        var many = Enumerable.Repeat(items, 60).SelectMany(i => i).ToList();
        var passes = loss.Passes(many).ToList();
        Assert.True(passes.Count > 1);
        Assert.Equal(many, passes.SelectMany(p => p));

        double[] Gradient(IReadOnlyList<Example> examples)
        {
            using var composed = library.Compose(CompositionSettings.Of("atlas", null, ("granularity", RecipeValue.Of("layer"))));
            loss.Of(composed.Active(), examples).backward();
            return [.. composed.Tables.Values.SelectMany(t => KernelDevice.DownloadVector(t.grad!.view(-1)))];
        }
    }

    [Fact]
    public void Learning_ends_after_the_steps_asked_for_or_when_held_out_examples_gain_nothing_more()
    {
        using var scope = NewDisposeScope();
        using var library = new SampleLibrary("reverse", "copy");
        var items = SampleLibrary.Items("reverse");
        LearningLog Run(params ReadOnlySpan<(string, RecipeValue)> parameters)
        {
            var settings = CompositionSettings.Of("atlas", 1, parameters);
            using var composed = library.Compose(settings);
            var log = Learning.Run(library.Model, composed, [.. items.Take(4)], [.. items.Skip(4).Take(4)], settings, null, TestContext.Current.CancellationToken);
            // What is kept is the best that was seen, the start included.
            Assert.Equal(log.HeldOut.Min(e => e.Score.Loss), log.After.Loss, 1e-6);
            return log;
        }

        Assert.Equal(3, Run(("batch", 2), ("steps", 3)).Losses.Length);
        Assert.Equal(6, Run(("batch", 3), ("epochs", 3)).Losses.Length);
        var none = Run(("epochs", 0));
        Assert.Equal((0, none.Before), (none.Losses.Length, none.After));
        var wild = Run(("batch", 4), ("learning_rate", 50), ("epochs", 40), ("patience", 2));
        Assert.Equal((2, wild.Before.Loss), (wild.Losses.Length, wild.After.Loss));
        Assert.Equal(5, Run(("batch", 4), ("learning_rate", 50), ("epochs", 5), ("patience", 0)).Losses.Length);
    }

    [Fact]
    public void Learning_stops_when_it_is_told_to()
    {
        using var library = new SampleLibrary("reverse", "copy");
        using var stop = new CancellationTokenSource();
        var settings = CompositionSettings.Of("atlas", 1, ("epochs", 1000));
        using var composed = library.Compose(settings);
        Assert.Throws<OperationCanceledException>(() => Learning.Run(library.Model, composed, SampleLibrary.Items("reverse").Take(2).ToList(), [], settings, (_, _, _) => stop.Cancel(), stop.Token));
    }

    [Fact]
    public void A_thousand_steps_leave_no_tensor_behind()
    {
        using var library = new SampleLibrary("reverse", "copy");
        Example[] items = [new([new(new[] { 1, 20, 21 }, 2), new(new[] { 1, 20, 22 }, 2)], 1)];
        var settings = CompositionSettings.Of("scalearn", 1, ("epochs", 1010), ("batch", 1), ("clip", 1));
        // Two modules will do: what could be left behind does not depend on their number.
        Adapter[] small = [.. library.Adapters.Select(a => new Adapter(a.Config, a.Modules.Take(2), m => a.Delta(m.Name)!))];
        Assert.True(Composing.TryCompose(library.Model, SampleLibrary.Plan(small, settings), small, settings, SampleLibrary.Kernels, out var composed, out _));
        using var own = composed;
        var counts = new List<long>();
        Learning.Run(library.Model, composed, items, [], settings, (done, _, _) =>
        {
            if (done is 10 or 1010)
                counts.Add(DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        }, TestContext.Current.CancellationToken);
        Assert.Equal(2, counts.Count);
        Assert.Equal(counts[0], counts[1]);
    }

    [Fact]
    public void Held_out_examples_are_no_others_and_at_least_one_is_left_to_learn_from()
    {
        var items = SampleLibrary.Items("sort").Take(10).ToList();
        var (learned, held) = Learning.Split(items, 0.3, 5);
        Assert.Equal((7, 3), (learned.Count, held.Count));
        Assert.Equal(items.ToHashSet(), learned.Concat(held).ToHashSet());
        Assert.Equal(held, Learning.Split(items, 0.3, 5).HeldOut);
        Assert.NotEqual(held, Learning.Split(items, 0.3, 6).HeldOut);
        Assert.Single(Learning.Split([items[0]], 0.9, 5).Learned);
        Assert.Empty(Learning.Split(items, 0, 5).HeldOut);
    }

    [Fact]
    public void Modules_that_the_model_does_not_have_are_refused_by_name()
    {
        using var library = new SampleLibrary("reverse");
        using var other = AdapterReader.Open(Path.Combine(Marketplace.Tests.Support.Fixtures.Root, "adapters", "gpt2", "plain"));
        var settings = CompositionSettings.Of("atlas");
        Assert.False(Composing.TryCompose(library.Model, SampleLibrary.Plan([other], settings), [other], settings, SampleLibrary.Kernels, out _, out var problems));
        Assert.All(problems, p => Assert.Equal(WeightsProblem.AdapterUnfit, p.Code));
        Assert.All(problems, p => Assert.NotNull(p.Tensor));
    }

    private static double Difference(LanguageModel model, ActiveAdapters x, ActiveAdapters y)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var batch = TokenBatch.Of([.. SampleLibrary.Items("reverse").Take(8).Select(i => i.Choices[i.Answer].Tokens)], CPU);
        Tensor Logits(ActiveAdapters active) => model.Logits(model.Hidden(batch, active), active).masked_fill(batch.Valid.logical_not().unsqueeze(-1), 0);
        return (Logits(x) - Logits(y)).abs().max().ToDouble();
    }
}

using CsCheck;
using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Models;

/// <summary>Whatever shares a batch with a sequence, on whatever side it is filled up, and whichever adapters other rows have: its scores stay.</summary>
public class BatchInvarianceTests
{
    private const double Tolerance = 1e-5;

    private static readonly string[] Llama = ["llama/plain", "llama/rslora", "llama/dora", "llama/lora_bias", "llama/embed", "llama/modules_to_save", "llama/patterns", "llama/rank1"];

    private static readonly string[] Gpt2 = ["gpt2/plain", "gpt2/bias_all", "gpt2/bias_lora_only", "gpt2/dora", "gpt2/embed_tied", "gpt2/square_only", "gpt2/all_linear"];

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    [InlineData("mistral")]
    public void A_row_does_not_depend_on_its_batch(string name)
    {
        using var scope = NewDisposeScope();
        using var model = ModelFixture.Open(name);
        ActiveAdapters[] adapters = name == "mistral"
            ? [ActiveAdapters.None]
            : [ActiveAdapters.None, .. (name == "llama" ? Llama : Gpt2).Select(a => AdapterFixtureTests.Load(model, a))];
        var sequence = Gen.Int[0, model.Config.VocabularySize - 1].Array[1, 20];
        var rows = Gen.Select(sequence, Gen.Int[0, adapters.Length - 1]).Array[1, 6];
        Gen.Select(rows, Gen.Bool, Gen.Int[0, 50]).Sample((batch, left, padding) =>
        {
            using var inner = NewDisposeScope();
            var together = Run(model, [.. batch.Select(b => b.Item1)], ActiveAdapters.ByRow([.. batch.Select(b => (adapters[b.Item2], 1))]), left, padding);
            for (var i = 0; i < batch.Length; i++)
            {
                var alone = Run(model, [batch[i].Item1], adapters[batch[i].Item2], false, 0)[0];
                Assert.InRange(ModelFixture.Difference(alone, together[i]) / (1 + alone.abs().max().Only<float>()), 0, Tolerance);
            }
        }, iter: 25, threads: 1);
        foreach (var active in adapters)
            active.Dispose();
    }

    [Fact]
    public void Rows_with_equal_shares_of_a_batch_are_computed_as_rows_with_unequal_ones()
    {
        using var scope = NewDisposeScope();
        using var model = ModelFixture.Open("llama");
        using var first = AdapterFixtureTests.Load(model, "llama/plain");
        using var second = AdapterFixtureTests.Load(model, "llama/rank1");
        int[][] sequences = [[1, 2, 3], [4, 5, 6, 7], [8, 9], [10, 11, 12, 13]];
        using var even = ActiveAdapters.ByRow([(first, 2), (second, 2)]);
        using var uneven = ActiveAdapters.ByRow([(first, 2), (second, 1), (second, 1)]);
        var (x, y) = (Run(model, sequences, even, false, 0), Run(model, sequences, uneven, false, 0));
        for (var i = 0; i < sequences.Length; i++)
            Assert.InRange(ModelFixture.Difference(x[i], y[i]), 0, Tolerance);
    }

    [Fact]
    public void What_follows_a_prompt_is_the_same_from_the_cache()
    {
        using var scope = NewDisposeScope();
        using var model = ModelFixture.Open("mistral");
        int[][] prompts = [[5, 6, 7, 8, 9, 10, 11, 12], [20, 21, 22]];
        int[][] choices = [[30, 31], [40], [50, 51, 52, 53, 54, 55]];
        using var cache = new KeyValueCache(model.Config.Layers.Length);
        using var first = TokenBatch.Of([.. prompts.Select(p => (ReadOnlyMemory<int>)p)], CPU);
        model.Hidden(first, null, cache);
        int[] rows = [0, 0, 0, 1, 1, 1];
        using var several = cache.Select(rows);
        using var next = TokenBatch.Of([.. rows.Select((_, i) => (ReadOnlyMemory<int>)choices[i % 3])], CPU, firstPositions: [.. rows.Select(r => prompts[r].Length)]);
        var continued = model.Logits(model.Hidden(next, null, several));
        for (var i = 0; i < rows.Length; i++)
        {
            var (prompt, choice) = (prompts[rows[i]], choices[i % 3]);
            var whole = Run(model, [[.. prompt, .. choice]], ActiveAdapters.None, false, 0)[0];
            Assert.InRange(ModelFixture.Difference(whole.narrow(0, prompt.Length, choice.Length), continued[i].narrow(0, 0, choice.Length)), 0, Tolerance * 10);
        }
    }

    [Fact]
    public void A_thousand_batches_leave_no_tensor_behind()
    {
        using var model = ModelFixture.Open("llama");
        using var plain = AdapterFixtureTests.Load(model, "llama/plain");
        using var dora = AdapterFixtureTests.Load(model, "llama/dora");
        int[][] sequences = [[1, 2, 3], [4, 5], [6, 7, 8, 9], [10]];
        void Once()
        {
            using var scope = NewDisposeScope();
            using var mixed = ActiveAdapters.ByRow([(plain, 1), (ActiveAdapters.None, 1), (dora, 1), (plain, 1)]);
            using var cache = new KeyValueCache(model.Config.Layers.Length);
            using var batch = TokenBatch.Of([.. sequences.Select(s => (ReadOnlyMemory<int>)s)], CPU, PaddingSide.Left);
            model.Logits(model.Hidden(batch, mixed, cache), mixed);
            using var again = cache.Select([3, 0]);
        }

        Once();
        // Of this thread alone: other tests run beside.
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 1000; i++)
            Once();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static Tensor[] Run(LanguageModel model, int[][] sequences, ActiveAdapters active, bool left, int padding)
    {
        using var batch = TokenBatch.Of([.. sequences.Select(s => (ReadOnlyMemory<int>)s)], CPU, left ? PaddingSide.Left : PaddingSide.Right, padding: padding);
        var logits = model.Logits(model.Hidden(batch, active), active);
        return [.. sequences.Select((s, i) => logits[i].narrow(0, left ? batch.Columns - s.Length : 0, s.Length))];
    }
}

using System.Text;
using Marketplace.Core.Formats;
using Marketplace.Kernels.Models;
using Marketplace.Kernels.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Training;

public sealed class TrainingTests : IDisposable
{
    private static readonly byte[] Config = Encoding.UTF8.GetBytes(
        """
        {
          "model_type": "llama", "vocab_size": 12, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
          "hidden_act": "silu", "max_position_embeddings": 32, "rms_norm_eps": 1e-5, "tie_word_embeddings": false
        }
        """);

    // Two texts of different lengths, of which not everything counts.
    private static readonly TrainingText[] Texts = [new([1, 4, 5, 6, 7, 8], [0, 1, 1, 1, 1, 1]), new([1, 9, 9, 3], [0, 0, 0.5f, 1])];

    private readonly LanguageModel model = LanguageModel.Create(Config, 3, KernelDevice.Cpu);
    private readonly string folder = Directory.CreateTempSubdirectory().FullName;

    // A second thread costs more than it helps where matrices are this small.
    public TrainingTests() => KernelDevice.UseOneThread();

    public void Dispose()
    {
        model.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Gradients_of_parameters_and_factors_are_those_of_finite_differences()
    {
        using var scope = torch.NewDisposeScope();
        using var adapter = Filled();
        Tensor[] checkedOnes = [.. adapter.Parameters, .. model.Parameters.Values.Select(p => p.requires_grad_(true))];
        var gradients = torch.autograd.grad([TrainingLoss.Of(model, adapter, Texts)], checkedOnes);
        using var frozen = torch.no_grad();
        for (var i = 0; i < checkedOnes.Length; i++)
        {
            // The largest entry, so that single precision suffices.
            var flat = checkedOnes[i].view(-1);
            var at = gradients[i].abs().view(-1).argmax().ToInt64();
            var expected = gradients[i].reshape(-1)[at].ToDouble();
            const double Step = 1e-2;
            double Shifted(double by)
            {
                flat.narrow(0, at, 1).Accumulate(torch.ones(1), by);
                var loss = TrainingLoss.Of(model, adapter, Texts).ToDouble();
                flat.narrow(0, at, 1).Accumulate(torch.ones(1), -by);
                return loss;
            }

            var found = (Shifted(Step) - Shifted(-Step)) / (2 * Step);
            Assert.True(Math.Abs(found - expected) < 2e-3 + (0.03 * Math.Abs(expected)), $"{i}: {found} instead of {expected}");
        }
    }

    [Fact]
    public void Training_an_adapter_lets_the_loss_fall_and_leaves_the_model_as_it_is()
    {
        var before = model.Parameters.ToDictionary(p => p.Key, p => p.Value.clone());
        using var adapter = TrainableAdapter.Create(model, ["q_proj", "v_proj", "down_proj"], rank: 4, alpha: 8, seed: 5);
        var (first, last) = Train(adapter, adapter.Parameters, 60);

        // A head of 0.02 leaves logits of little spread, whatever the adapter does: a tenth is much.
        Assert.True(last < 0.9 * first, $"{first} → {last}");
        Assert.All(before, p => Assert.True(torch.equal(p.Value, model.Parameters[p.Key]).all().ToBoolean()));
    }

    [Fact]
    public void What_was_trained_and_saved_reads_back_as_the_same_adapter_and_model()
    {
        using (var adapter = Filled())
        {
            adapter.Save(Path.Combine(folder, "adapter"), "test/base");
            ModelSaver.Save(model, Config, folder);
            using var read = AdapterReader.Open(Path.Combine(folder, "adapter"));
            Assert.True(LanguageModel.TryOpen(folder, KernelDevice.Cpu, out var reopened, out _));
            Assert.True(ActiveAdapters.TryLoad(reopened, read, out var active, out _));

            Assert.Equal("test/base", read.Config.BaseModel);
            Assert.Equal(TrainingLoss.Of(model, adapter, Texts).ToDouble(), TrainingLoss.Of(reopened, active, Texts).ToDouble(), 1e-5);
            active.Dispose();
            reopened.Dispose();
        }
    }

    [Fact]
    public void Steps_leave_no_tensors_behind()
    {
        using var adapter = TrainableAdapter.Create(model, ["q_proj"], rank: 2, alpha: 4, seed: 5);
        Train(adapter, adapter.Parameters, 5);
        // Of this thread alone: other tests run beside.
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Train(adapter, adapter.Parameters, 1000);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    // B begins at zero, where A has no gradient: a few steps bring it elsewhere.
    private TrainableAdapter Filled()
    {
        var adapter = TrainableAdapter.Create(model, ["q_proj", "gate_proj", "down_proj"], rank: 3, alpha: 6, seed: 5);
        Train(adapter, adapter.Parameters, 10);
        return adapter;
    }

    private (double First, double Last) Train(ActiveAdapters active, IReadOnlyList<Tensor> parameters, int steps)
    {
        using var optimiser = new AdamW(parameters);
        var losses = new List<double>();
        for (var step = 0; step < steps; step++)
        {
            using var scope = torch.NewDisposeScope();
            var loss = TrainingLoss.Of(model, active, Texts);
            optimiser.Step(loss, AdamW.Rate(step, steps, 5, 2e-2));
            losses.Add(loss.ToDouble());
        }

        return (losses[0], losses[^1]);
    }
}

using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Training;

/// <summary>A LoRA while it is trained: y = x·W₀ᵀ + s·(x·Aᵀ)·Bᵀ with s = alpha ∕ r. A begins uniform in ±1 ∕ √in, as PEFT's does, and B at zero, so that ΔW begins at zero.</summary>
public sealed class TrainableAdapter : ActiveAdapters
{
    private readonly Dictionary<string, (Tensor A, Tensor B)> factors;
    private readonly IReadOnlyList<string> targets;
    private readonly int rank;
    private readonly double alpha;

    private TrainableAdapter(Dictionary<string, (Tensor A, Tensor B)> factors, IReadOnlyList<string> targets, int rank, double alpha) =>
        (this.factors, this.targets, this.rank, this.alpha) = (factors, targets, rank, alpha);

    /// <summary>A and B of every module, in the order of the pass; they ask for gradients.</summary>
    public IReadOnlyList<Tensor> Parameters => [.. factors.Values.SelectMany(f => new[] { f.A, f.B })];

    /// <summary>Begins an adapter.</summary>
    /// <param name="model">The model, whose own parameters stay as they are.</param>
    /// <param name="targets">Last parts of the names of the modules to adapt, such as <c>q_proj</c>.</param>
    /// <param name="rank">r.</param>
    /// <param name="alpha">alpha.</param>
    /// <param name="seed">Chooses A.</param>
    /// <exception cref="ArgumentException">The model has no such modules.</exception>
    public static TrainableAdapter Create(LanguageModel model, IReadOnlyList<string> targets, int rank, double alpha, ulong seed)
    {
        var factors = new Dictionary<string, (Tensor, Tensor)>(StringComparer.Ordinal);
        foreach (var layer in model.LinearLayers.Where(l => targets.Contains(l.Name[(l.Name.LastIndexOf('.') + 1)..])))
        {
            var (size, width) = ((int)layer.Weight.shape[1], layer.Weight.shape[0]);
            var random = new Philox(seed, layer.Name);
            var values = new float[rank * size];
            for (var i = 0; i < values.Length; i++)
                values[i] = (float)(((2 * random.NextDouble()) - 1) / Math.Sqrt(size));
            using var scope = NewDisposeScope();
            factors[layer.Name] = (
                from_array(values).reshape(rank, size).to(model.Device).requires_grad_(true).DetachFromDisposeScope(),
                zeros(width, rank, device: model.Device).requires_grad_(true).DetachFromDisposeScope());
        }

        return factors.Count > 0 ? new(factors, targets, rank, alpha) : throw new ArgumentException("The model has no such modules.", nameof(targets));
    }

    /// <summary>Writes adapter_config.json and adapter_model.safetensors as PEFT lays them out.</summary>
    /// <param name="folder">The folder, which is made.</param>
    /// <param name="baseModel">Name of the base model.</param>
    /// <param name="type">Of the factors.</param>
    public void Save(string folder, string baseModel, TensorType type = TensorType.F32)
    {
        Directory.CreateDirectory(folder);
        var config = new AdapterConfig { BaseModel = baseModel, TaskType = "CAUSAL_LM", Rank = rank, Alpha = alpha, TargetModules = ModuleSelector.List(targets.Order(StringComparer.Ordinal)) };
        File.WriteAllBytes(Path.Combine(folder, "adapter_config.json"), config.ToJson());
        SafetensorsWriter.Save(Path.Combine(folder, "adapter_model.safetensors"), factors.SelectMany(f => new[]
        {
            ModelSaver.Source($"base_model.model.{f.Key}.lora_A.weight", f.Value.A, type), ModelSaver.Source($"base_model.model.{f.Key}.lora_B.weight", f.Value.B, type),
        }));
    }

    internal override Tensor Linear(LinearLayer layer, Tensor x)
    {
        var y = None.Linear(layer, x);
        return factors.TryGetValue(layer.Name, out var own)
            ? y.Accumulate(nn.functional.linear(nn.functional.linear(x, own.A, null), own.B, null), alpha / rank)
            : y;
    }

    internal override Tensor Embed(EmbeddingTable table, Tensor ids) => None.Embed(table, ids);

    internal override Tensor Norm(NormLayer norm, Tensor x) => None.Norm(norm, x);

    /// <inheritdoc/>
    protected override void Free()
    {
        foreach (var (a, b) in factors.Values)
        {
            a.Dispose();
            b.Dispose();
        }
    }
}

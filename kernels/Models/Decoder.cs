using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>The forward pass of a decoder, put together from a layout and the parameters it names.</summary>
internal sealed class Decoder : IDisposable
{
    private readonly ModelConfig config;
    private readonly DecoderLayout layout;
    private readonly Func<string, Tensor?> find;
    private readonly Dictionary<string, LinearLayer> linear = new(StringComparer.Ordinal);
    private readonly List<LinearLayer> ordered = [];
    private readonly List<Tensor> views = []; // of stored weights, transposed
    private readonly Dictionary<RotaryConfig, Tensor> frequencies = [];
    private readonly EmbeddingTable embedding;
    private readonly EmbeddingTable? positions;
    private readonly NormLayer finalNorm;
    private readonly LinearLayer head;
    private readonly DecoderLayer[] layers;

    public Decoder(ModelConfig config, DecoderLayout layout, Func<string, Tensor?> find, Device device)
    {
        (this.config, this.layout, this.find) = (config, layout, find);
        embedding = new(layout.Embedding, Required(layout.Embedding + ".weight"));
        positions = layout.Positions is { } table ? new(table, Required(table + ".weight")) : null;
        finalNorm = Norm(layout.FinalNorm);
        layers = [.. config.Layers.Select((c, i) => Layer(i, c))];
        head = config.TiesEmbeddings ? Add(new(layout.Head, embedding.Weight, null)) : Linear(layout.Head, conv1D: false);
        foreach (var rotary in config.Layers.Select(l => l.Rotary).OfType<RotaryConfig>().Distinct())
            frequencies[rotary] = from_array(rotary.Frequencies()).to(device).DetachFromDisposeScope();
    }

    public IEnumerable<LinearLayer> LinearLayers => ordered;

    public LinearLayer? FindLinear(string module) => linear.GetValueOrDefault(module);

    public EmbeddingTable? FindEmbedding(string module) => module == embedding.Name ? embedding : module == positions?.Name ? positions : null;

    /// <summary>Whether an adapter may bring a parameter that the model does not have: the bias of a layer without, or the weight of a tied head.</summary>
    public bool IsOptional(string name) =>
        name.LastIndexOf('.') is > 0 and var dot && linear.ContainsKey(name[..dot]) && name[(dot + 1)..] is "bias" or "weight";

    public Tensor Hidden(TokenBatch batch, ActiveAdapters adapters, KeyValueCache? cache)
    {
        var (keyPositions, keysValid) = cache?.Append(batch) ?? (batch.Positions, batch.Valid);
        var masks = new AttentionMasks(batch.Positions, keyPositions, keysValid);
        var turns = frequencies.ToDictionary(f => f.Key, f => RotaryTable.At(f.Value, batch.Positions));
        var x = adapters.Embed(embedding, batch.Ids);
        if (config.EmbeddingScale != 1)
            x = x.mul(Scalars.Of(config.EmbeddingScale));
        if (positions is not null)
            x = x.Plus(adapters.Embed(positions, batch.Positions));
        foreach (var layer in layers)
        {
            // What a layer computes on the way goes at once; what gradients need, libtorch holds.
            using var scope = NewDisposeScope();
            var before = x;
            x = layer.Forward(before, new(adapters, masks, layer.Config.Rotary is { } r ? turns[r] : null, cache)).MoveToOuterDisposeScope();
            before.Dispose();
        }

        return adapters.Norm(finalNorm, x);
    }

    public Tensor Logits(Tensor hidden, ActiveAdapters adapters)
    {
        var logits = adapters.Linear(head, hidden);
        return config.LogitCap is { } cap ? logits.div(Scalars.Of(cap)).tanh().mul(Scalars.Of(cap)) : logits;
    }

    public void Dispose()
    {
        foreach (var view in views)
            view.Dispose();
        foreach (var tensor in frequencies.Values)
            tensor.Dispose();
    }

    private DecoderLayer Layer(int index, LayerConfig layerConfig)
    {
        var conv1D = config.ModelType == "gpt2";
        string Path(string module) => $"{layout.Layers}.{index}.{module}";
        LinearLayer Inner(string module) => Linear(Path(module), conv1D);
        NormLayer? OptionalNorm(string? module) => module is null ? null : Norm(Path(module));
        NormLayer? HeadNorm(string module) => find(Path(module) + ".weight") is null ? null : Norm(Path(module));
        return new(index, config, layerConfig)
        {
            AttentionNorm = Norm(Path(layout.AttentionNorm)),
            Projections = layout.Packed is { } packed ? [Inner(packed)] : [Inner(layout.Attention.Query), Inner(layout.Attention.Key), Inner(layout.Attention.Value)],
            QueryNorm = HeadNorm(layout.HeadNorms.Query),
            KeyNorm = HeadNorm(layout.HeadNorms.Key),
            Output = Inner(layout.Output),
            AttentionOutputNorm = OptionalNorm(layout.AttentionOutputNorm),
            FeedForwardNorm = OptionalNorm(layout.FeedForwardNorm),
            Gate = layout.Gate is { } gate ? Inner(gate) : null,
            Up = Inner(layout.Up),
            UpHoldsGate = layout.UpHoldsGate,
            Down = Inner(layout.Down),
            FeedForwardOutputNorm = OptionalNorm(layout.FeedForwardOutputNorm),
        };
    }

    private LinearLayer Linear(string name, bool conv1D)
    {
        var weight = Required(name + ".weight");
        if (conv1D)
            views.Add(weight = weight.t().DetachFromDisposeScope());
        return Add(new(name, weight, find(name + ".bias")));
    }

    private LinearLayer Add(LinearLayer layer)
    {
        ordered.Add(layer);
        return linear[layer.Name] = layer;
    }

    private NormLayer Norm(string name) => new(name, layout.Norm, config.NormEpsilon, Required(name + ".weight"), find(name + ".bias"));

    private Tensor Required(string name) => find(name) ?? throw new InvalidDataException($"The model has no '{name}'.");
}

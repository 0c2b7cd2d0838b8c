using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Core.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>
/// A decoder-only language model in memory, in float32: one decoder for all architectures of <see cref="DecoderLayout"/>. Adapters stay outside of its weights; each pass names those that
/// are active, so one model serves any number of them.
/// </summary>
public sealed class LanguageModel : IDisposable
{
    private readonly Dictionary<string, Tensor> parameters;
    private readonly Decoder decoder;

    internal LanguageModel(ModelConfig config, DecoderLayout layout, Dictionary<string, Tensor> parameters, Device device)
    {
        (Config, this.parameters, Device) = (config, parameters, device);
        decoder = new Decoder(config, layout, name => parameters.GetValueOrDefault(name), device);
    }

    /// <summary>Its sizes.</summary>
    public ModelConfig Config { get; }

    /// <summary>Where its weights are.</summary>
    public Device Device { get; }

    /// <summary>Its parameters by name, as stored; the model's own.</summary>
    public IReadOnlyDictionary<string, Tensor> Parameters => parameters;

    /// <summary>Bytes of all parameters.</summary>
    public long Bytes => parameters.Values.Sum(p => p.numel() * p.ElementSize);

    /// <summary>
    /// Opens a model in a folder as transformers writes it: config.json, and model.safetensors or shards with their index, in F32, F16, BF16 or F64. False with every problem found.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="model">The model.</param>
    /// <param name="problems">What is missing, of another shape, or not computed.</param>
    /// <exception cref="IOException">A file can't be read.</exception>
    public static bool TryOpen(
        string folder, KernelDevice device, [NotNullWhen(true)] out LanguageModel? model, out ImmutableArray<WeightsProblem> problems) =>
        ModelLoader.TryOpen(folder, device, out model, out problems);

    /// <summary>A model with random weights: N(0, 0.02²), norms of one, biases of zero.</summary>
    /// <param name="configJson">A config.json.</param>
    /// <param name="seed">Chooses the weights.</param>
    /// <param name="device">Where to compute.</param>
    /// <exception cref="InvalidDataException">The configuration is none of a known architecture.</exception>
    public static LanguageModel Create(ReadOnlyMemory<byte> configJson, ulong seed, KernelDevice device) => ModelLoader.Create(configJson, seed, device);

    /// <summary>What the last layer gives, after the final norm, shape (B, T, H); meaningless at padding.</summary>
    /// <param name="batch">The tokens.</param>
    /// <param name="adapters">What is active.</param>
    /// <param name="cache">Tokens that went before; the batch's are added to it. Null for none.</param>
    public Tensor Hidden(TokenBatch batch, ActiveAdapters? adapters = null, KeyValueCache? cache = null) =>
        Scoped(() => decoder.Hidden(batch, adapters ?? ActiveAdapters.None, cache));

    /// <summary>Logits of the next token, shape (B, T, V).</summary>
    /// <param name="hidden">What <see cref="Hidden"/> gave, or some of its columns; rows as they were, since adapters may differ from row to row.</param>
    /// <param name="adapters">What is active.</param>
    public Tensor Logits(Tensor hidden, ActiveAdapters? adapters = null) => Scoped(() => decoder.Logits(hidden, adapters ?? ActiveAdapters.None));

    /// <summary>The linear layer of that name, as adapters of any spelling name it; null if there is none.</summary>
    internal LinearLayer? FindLinear(string module) => ModelNaming.Spellings(module).Select(decoder.FindLinear).FirstOrDefault(l => l is not null);

    /// <summary>The embedding table of that name; null if there is none.</summary>
    internal EmbeddingTable? FindEmbedding(string module) => ModelNaming.Spellings(module).Select(decoder.FindEmbedding).FirstOrDefault(l => l is not null);

    /// <summary>The name under which the model holds a parameter; null if it has none.</summary>
    internal string? FindParameter(string name) => ModelNaming.Spellings(name).FirstOrDefault(n => parameters.ContainsKey(n) || decoder.IsOptional(n));

    /// <summary>The linear layers that can be adapted, in the order of the pass; the head is the last.</summary>
    internal IEnumerable<LinearLayer> LinearLayers => decoder.LinearLayers;

    /// <inheritdoc/>
    public void Dispose()
    {
        decoder.Dispose();
        foreach (var parameter in parameters.Values)
            parameter.Dispose();
    }

    private static Tensor Scoped(Func<Tensor> compute)
    {
        using var scope = NewDisposeScope();
        return compute().MoveToOuterDisposeScope();
    }
}

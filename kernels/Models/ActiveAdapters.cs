using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>
/// What is added to a base model in a pass: nothing, one adapter, a weighted set, a router's choice for each token, or something else for each row of the batch. It holds its tensors on the
/// model's device and is the caller's to dispose; the model is never changed.
/// </summary>
public abstract class ActiveAdapters : IDisposable
{
    /// <summary>The base model by itself.</summary>
    public static ActiveAdapters None { get; } = new NoAdapters();

    /// <summary>One adapter, applied as PEFT applies it unmerged: plain, rsLoRA, with patterns, DoRA, embeddings, biases, saved modules.</summary>
    /// <param name="model">The model.</param>
    /// <param name="adapter">The adapter; it may be closed afterwards.</param>
    /// <param name="active">What is active then.</param>
    /// <param name="problems">Where it does not fit the model.</param>
    public static bool TryLoad(LanguageModel model, Adapter adapter, [NotNullWhen(true)] out ActiveAdapters? active, out ImmutableArray<WeightsProblem> problems) =>
        AdapterLoader.TryLoad(model, [(adapter, 1)], out active, out problems);

    /// <summary>
    /// A weighted set, merged after each was applied: y = x·W₀ᵀ + Σ wₑ·sₑ·(x·Aₑᵀ)·Bₑᵀ, that is the exact merge. A stack of a language and a task adapter is a set with weights 1 and 1.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="adapters">Adapters and weights. Only one of weight 1 may bring saved modules, biases, or DoRA magnitudes, since these replace and do not add.</param>
    /// <param name="active">What is active then.</param>
    /// <param name="problems">Where they do not fit the model, or each other.</param>
    public static bool TryLoad(
        LanguageModel model, IReadOnlyList<(Adapter Adapter, double Weight)> adapters, [NotNullWhen(true)] out ActiveAdapters? active, out ImmutableArray<WeightsProblem> problems) =>
        AdapterLoader.TryLoad(model, adapters, out active, out problems);

    /// <summary>Arrow: at each module each token chooses its adapters by the router's prototypes.</summary>
    /// <param name="model">The model.</param>
    /// <param name="router">Prototypes, top-k, temperature, combination.</param>
    /// <param name="plan">What the router was computed from: it gives the experts' ΔW, and their residuals where general knowledge is subtracted.</param>
    /// <param name="active">What is active then.</param>
    /// <param name="problems">Where the experts do not fit the model, or can't be routed.</param>
    public static bool TryLoad(
        LanguageModel model, RouterModel router, RouterPlan plan, [NotNullWhen(true)] out ActiveAdapters? active, out ImmutableArray<WeightsProblem> problems) =>
        RoutedAdapters.TryCreate(model, router, plan, out active, out problems);

    /// <summary>Something else for each row of the batch: the first rows with the first, and so on. Rows that share a layer's weights are computed in one product.</summary>
    /// <param name="parts">What is active in how many rows; they stay the caller's to dispose.</param>
    public static ActiveAdapters ByRow(IReadOnlyList<(ActiveAdapters Active, int Rows)> parts) => new RowAdapters(parts);

    /// <summary>A linear layer with what is active.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="x">Shape (B, T, in).</param>
    internal abstract Tensor Linear(LinearLayer layer, Tensor x);

    /// <summary>A table with what is active.</summary>
    /// <param name="table">The table.</param>
    /// <param name="ids">Shape (B, T).</param>
    internal abstract Tensor Embed(EmbeddingTable table, Tensor ids);

    /// <summary>A norm with what is active.</summary>
    /// <param name="norm">The norm.</param>
    /// <param name="x">Shape (B, …, size).</param>
    internal abstract Tensor Norm(NormLayer norm, Tensor x);

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what it holds.</summary>
    protected virtual void Free()
    {
    }

    private sealed class NoAdapters : ActiveAdapters
    {
        internal override Tensor Linear(LinearLayer layer, Tensor x) => LinearLayer.Apply(x, layer.Weight, layer.Bias);

        internal override Tensor Embed(EmbeddingTable table, Tensor ids) => EmbeddingTable.Rows(table.Weight, ids);

        internal override Tensor Norm(NormLayer norm, Tensor x) => norm.Apply(x, norm.Weight, norm.Bias);
    }
}

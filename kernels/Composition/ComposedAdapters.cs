using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Kernels.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Composition;

/// <summary>
/// Sources with coefficients that can be learned, in the forward pass: y += x·Aᵀ·(B ∘ C)ᵀ. C is put together from the tables by tensor operations, so that autograd leads from the loss to
/// the tables through two products of width R.
/// </summary>
internal sealed class ComposedAdapters : IDisposable
{
    private readonly List<Part> parts = [];
    private readonly SortedDictionary<string, Tensor> tables = new(StringComparer.Ordinal);
    private readonly ScalarType type;
    private readonly Device device;

    /// <param name="device">Where to compute.</param>
    /// <param name="type">In which precision; a model's is float32.</param>
    public ComposedAdapters(Device device, ScalarType type = ScalarType.Float32) => (this.device, this.type) = (device, type);

    /// <summary>The tables by group, in ordinal order; they require gradients.</summary>
    public IReadOnlyDictionary<string, Tensor> Tables => tables;

    /// <summary>How many numbers are learned.</summary>
    public long Count => tables.Values.Sum(t => t.numel());

    /// <summary>The layer of a model that a module is; null with the reason where there is none of that shape.</summary>
    public static string? Find(LanguageModel model, TargetModule module, List<WeightsProblem> problems)
    {
        var layer = module.Kind == ModuleKind.Linear ? model.FindLinear(module.Name) : null;
        var table = module.Kind == ModuleKind.Embedding ? model.FindEmbedding(module.Name) : null;
        var (rows, columns) = layer is not null ? (layer.Weight.shape[0], layer.Weight.shape[1]) : table is not null ? (table.Weight.shape[1], table.Weight.shape[0]) : (0, 0);
        if (layer is null && table is null)
            problems.Add(new(WeightsProblem.AdapterUnfit, $"The model has no {(module.Kind == ModuleKind.Embedding ? "table" : "linear layer")} '{module.Name}'.", module.Name));
        else if (rows != module.Out || columns != module.In)
            problems.Add(new(WeightsProblem.AdapterUnfit, $"'{module.Name}' is {rows}×{columns}, the adapters' ΔW {module.Out}×{module.In}.", module.Name));
        else
            return layer?.Name ?? table!.Name;
        return null;
    }

    /// <summary>Adds a module.</summary>
    /// <param name="layer">The model's name of it.</param>
    /// <param name="terms">What is learned there. Modules of one group have equal starts.</param>
    public void Add(string layer, ModuleTerms terms)
    {
        using var scope = NewDisposeScope();
        if (!tables.ContainsKey(terms.Group))
            tables.Add(terms.Group, Send(terms.Start).requires_grad_().DetachFromDisposeScope());
        var a = terms.Fixed is null ? Send(terms.Learned.A) : cat([Send(terms.Learned.A), Send(terms.Fixed.A)], 0);
        parts.Add(new(
            layer, terms.Group, a.DetachFromDisposeScope(), Send(terms.Learned.B).DetachFromDisposeScope(), terms.Fixed is null ? null : Send(terms.Fixed.B).DetachFromDisposeScope(),
            Send(terms.Columns).DetachFromDisposeScope(), terms.Rows is null ? null : Send(terms.Rows).DetachFromDisposeScope()));
    }

    /// <summary>
    /// What is active with the tables as they are. It belongs to the current dispose scope and is good for one pass; where gradients are on, they flow to the tables.
    /// </summary>
    /// <param name="change">Changes a table for this pass, as dropout does.</param>
    public ActiveAdapters Active(Func<Tensor, Tensor>? change = null) => new LoadedAdapters(Factors(change), new Dictionary<string, Tensor>());

    /// <summary>A and B ∘ C of each module, by the model's names.</summary>
    public IReadOnlyDictionary<string, LoraFactors> Factors(Func<Tensor, Tensor>? change = null)
    {
        var changed = change is null ? tables : tables.ToDictionary(t => t.Key, t => change(t.Value), StringComparer.Ordinal) as IReadOnlyDictionary<string, Tensor>;
        return parts.ToDictionary(p => p.Layer, p => p.With(changed[p.Group]), StringComparer.Ordinal);
    }

    /// <summary>The tables' values.</summary>
    public SortedDictionary<string, Matrix> Download()
    {
        using var frozen = no_grad();
        return new(tables.ToDictionary(t => t.Key, t => KernelDevice.Download(t.Value.detach())), StringComparer.Ordinal);
    }

    /// <summary>Sets the tables' values.</summary>
    public void Upload(IReadOnlyDictionary<string, Matrix> values)
    {
        using var frozen = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (group, table) in tables)
            table.copy_(Send(values[group]));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in parts)
            part.Dispose();
        foreach (var table in tables.Values)
            table.Dispose();
    }

    private Tensor Send(Matrix matrix) => from_array(matrix.Values).reshape(matrix.Rows, matrix.Columns).to(type, device);

    private Tensor Send(int[] indices) => from_array(indices.Select(i => (long)i).ToArray()).to(device);

    private sealed record Part(string Layer, string Group, Tensor A, Tensor B, Tensor? FixedB, Tensor Columns, Tensor? Rows) : IDisposable
    {
        public LoraFactors With(Tensor table)
        {
            var chosen = table.index_select(0, Columns); // (R, width)
            var b = B.mul((Rows is null ? chosen : chosen.index_select(1, Rows)).t());
            return new(A, FixedB is null ? b : cat([b, FixedB], 1));
        }

        public void Dispose()
        {
            A.Dispose();
            B.Dispose();
            FixedB?.Dispose();
            Columns.Dispose();
            Rows?.Dispose();
        }
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Core;
using Marketplace.Core.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>Brings adapters onto a model's device, each module and parameter held against the model first.</summary>
internal sealed class AdapterLoader
{
    private readonly LanguageModel model;
    private readonly List<WeightsProblem> found = [];
    private readonly Dictionary<string, LoraFactors> factors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Tensor> replaced = new(StringComparer.Ordinal);

    private AdapterLoader(LanguageModel model) => this.model = model;

    public static bool TryLoad(
        LanguageModel model, IReadOnlyList<(Adapter Adapter, double Weight)> adapters, [NotNullWhen(true)] out ActiveAdapters? active, out ImmutableArray<WeightsProblem> problems)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var loader = new AdapterLoader(model);
        foreach (var (adapter, weight) in adapters)
            loader.Add(adapter, weight, alone: adapters.Count == 1 && weight == 1);
        problems = [.. loader.found];
        active = null;
        if (!problems.IsEmpty)
            return false;
        foreach (var tensor in loader.factors.Values.SelectMany(f => new[] { f.A, f.B, f.Bias, f.RowScale }).Concat(loader.replaced.Values).OfType<Tensor>())
            tensor.DetachFromDisposeScope();
        active = new LoadedAdapters(loader.factors, loader.replaced);
        return true;
    }

    private void Add(Adapter adapter, double weight, bool alone)
    {
        if (adapter.Config.HasTrainedTokens || adapter.Config.IsActivatedByTokens || !adapter.Config.TargetParameters.IsEmpty)
            Refuse("It has trained token rows, acts only after certain tokens, or adapts parameters rather than modules; none of these is applied.", null);
        var biases = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        // Replaced weights come first, since DoRA's norms are those of the weight in force.
        foreach (var name in adapter.Carried)
        {
            var part = TensorName.Parse(name);
            if (part.Part == TensorPart.FactorBias && adapter.ReadCarried(name) is { } bias)
                biases[part.Module] = Send(bias.Values, bias.Shape.AsSpan());
            else if (part.Part == TensorPart.Parameter)
                Replace(adapter, name, part.Module, weight);
        }

        foreach (var module in adapter.Modules)
            Add(adapter, module, weight, alone, biases.GetValueOrDefault(module.Name));
    }

    private void Add(Adapter adapter, TargetModule module, double weight, bool alone, Tensor? factorBias)
    {
        var layer = module.Kind == ModuleKind.Linear ? model.FindLinear(module.Name) : null;
        var table = module.Kind == ModuleKind.Embedding ? model.FindEmbedding(module.Name) : null;
        if ((layer?.Weight ?? table?.Weight.t()) is not { } own || (layer?.Name ?? table?.Name) is not { } name)
        {
            Refuse($"The model has no {(module.Kind == ModuleKind.Embedding ? "table" : "linear layer")} '{module.Name}'.", module.Name);
            return;
        }

        if (own.shape[0] != module.Out || own.shape[1] != module.In)
        {
            Refuse($"'{module.Name}' is {own.shape[0]}×{own.shape[1]}, the adapter's ΔW {module.Out}×{module.In}.", module.Name);
            return;
        }

        if (module.HasMagnitude && (!alone || layer is null))
        {
            Refuse($"'{module.Name}' has DoRA magnitudes, which are applied only to linear layers, and only for an adapter by itself with weight 1.", module.Name);
            return;
        }

        var delta = adapter.Delta(module.Name)!;
        var (a, b) = (Send(delta.A), Send(delta.B).mul(Scalars.Of(weight)));
        var bias = factorBias?.mul(Scalars.Of(module.Scaling * weight));
        var scale = module.HasMagnitude ? RowScale(adapter.Magnitude(module.Name)!, replaced.GetValueOrDefault(name + ".weight") ?? own, a, b) : null;
        factors[name] = factors.GetValueOrDefault(name) is { } before
            ? new(cat([before.A, a], 0), cat([before.B, b], 1), bias is null ? before.Bias : before.Bias?.Plus(bias) ?? bias)
            : new(a, b, bias, scale);
    }

    private void Replace(Adapter adapter, string tensor, string holder, double weight)
    {
        const string Wrapped = ".base_layer";
        var module = holder.EndsWith(Wrapped, StringComparison.Ordinal) ? holder[..^Wrapped.Length] : holder;
        var parameter = tensor[(tensor.LastIndexOf('.') + 1)..];
        if (model.FindParameter($"{module}.{parameter}") is not { } name || Shape(name) is not { } shape || adapter.ReadCarried(tensor) is not { } values)
            Refuse($"The model has no parameter '{module}.{parameter}'.", tensor);
        else if (!values.Shape.AsSpan().SequenceEqual(shape))
            Refuse($"'{name}' has the shape ({string.Join(", ", shape)}), the adapter's ({string.Join(", ", values.Shape)}).", tensor);
        else if (weight != 1 || replaced.ContainsKey(name))
            Refuse($"'{name}' replaces the base model's, so it can be applied with weight 1 and from one adapter only.", tensor);
        else
            replaced[name] = Send(values.Values, values.Shape.AsSpan()) is var stored && IsConv1D(name) ? stored.t() : stored; // as layers use it: (out, in)
    }

    private bool IsConv1D(string name) =>
        model.Config.ModelType == "gpt2" && name.EndsWith(".weight", StringComparison.Ordinal) && ModelNaming.IsConv1D(name[..^".weight".Length]);

    private long[]? Shape(string name)
    {
        if (model.Parameters.TryGetValue(name, out var own))
            return own.shape;
        var dot = name.LastIndexOf('.');
        return model.FindLinear(name[..dot])?.Weight.shape is { } weight ? name.EndsWith(".bias", StringComparison.Ordinal) ? [weight[0]] : weight : null;
    }

    // m ∕ ‖W₀ + ΔW‖ by row, without forming ΔW: ‖W₀‖² + 2·⟨W₀·Aᵀ, B⟩ + ⟨B·(A·Aᵀ), B⟩, in float64 since the terms cancel.
    private static Tensor RowScale(double[] magnitude, Tensor weight, Tensor a, Tensor b)
    {
        var (w, fa, fb) = (weight.to(ScalarType.Float64), a.to(ScalarType.Float64), b.to(ScalarType.Float64));
        var squares = w.mul(w).sum(1).Plus(w.matmul(fa.t()).mul(fb).sum(1).mul(Scalars.Of(2))).Plus(fb.matmul(fa.matmul(fa.t())).mul(fb).sum(1));
        return from_array(magnitude).to(weight.device).div(squares.clamp(Scalars.Of(0)).sqrt()).to(ScalarType.Float32);
    }

    private Tensor Send(Matrix matrix) => from_array(matrix.Values).reshape(matrix.Rows, matrix.Columns).to(ScalarType.Float32, model.Device);

    private Tensor Send(float[] values, ReadOnlySpan<long> shape) => from_array(values).reshape(shape.ToArray()).to(model.Device);

    private void Refuse(string message, string? place) => found.Add(new(WeightsProblem.AdapterUnfit, message, place));
}

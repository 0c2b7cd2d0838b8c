using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>
/// Arrow in the forward pass. At each routed layer: logits |⟨x, vₑ⟩|, the top k of them (the lower index among equals) through a softmax, and the experts' outputs mixed by it. All experts' factors
/// lie side by side, so that a layer takes two products whatever k is: z = x·[A₁; …; A_K]ᵀ, each block times its coefficient, and z·[B₁, …, B_K]ᵀ.
/// </summary>
internal sealed class RoutedAdapters : ActiveAdapters
{
    private readonly Dictionary<string, Experts> layers;
    private readonly RouterDescription description;

    private RoutedAdapters(Dictionary<string, Experts> layers, RouterDescription description) => (this.layers, this.description) = (layers, description);

    /// <summary>Told the coefficients (B·T, K) at each routed layer; for tests and inspection.</summary>
    internal Action<string, Tensor>? Observed { get; set; }

    public static bool TryCreate(
        LanguageModel model, RouterModel router, RouterPlan plan, [NotNullWhen(true)] out ActiveAdapters? active, out ImmutableArray<WeightsProblem> problems)
    {
        active = null;
        var found = new List<WeightsProblem>();
        foreach (var reason in router.Description.LeftOut)
            found.Add(new(WeightsProblem.AdapterUnfit, $"'{reason.Module}' can't be routed. {reason.Reason}", reason.Module));
        var layers = new Dictionary<string, Experts>(StringComparer.Ordinal);
        using var scope = NewDisposeScope();
        foreach (var module in router.Description.Modules)
            foreach (var member in module.Members)
            {
                var deltas = Enumerable.Range(0, module.Experts.Length).Select(e => module.Routes(e) ? plan.Delta(e, member) : null).ToList();
                if (deltas.All(d => d is null))
                    continue;
                if (model.FindLinear(member) is not { } layer)
                    found.Add(new(WeightsProblem.AdapterUnfit, $"The model has no linear layer '{member}'.", member));
                else if (deltas.OfType<LowRankDelta>().Any(d => d.Out != layer.Weight.shape[0] || d.In != layer.Weight.shape[1]))
                    found.Add(new(WeightsProblem.AdapterUnfit, $"'{member}' is {layer.Weight.shape[0]}×{layer.Weight.shape[1]}, but an adapter's ΔW has another shape.", member));
                else if (router.Description.Combination == RouterCombination.MergeBefore && Unequal(module, deltas))
                    found.Add(new(WeightsProblem.AdapterUnfit, $"Factors of '{member}' can't be mixed before they are applied: ranks or scalings differ.", member));
                else
                    layers[layer.Name] = new(model.Device, router.Prototypes(module), module, deltas);
            }

        problems = [.. found];
        if (!problems.IsEmpty)
            return false;
        foreach (var experts in layers.Values)
            experts.Detach();
        active = new RoutedAdapters(layers, router.Description);
        return true;
    }

    internal override Tensor Linear(LinearLayer layer, Tensor x)
    {
        var y = None.Linear(layer, x);
        if (!layers.TryGetValue(layer.Name, out var experts))
            return y;
        var tokens = x.reshape(-1, x.shape[^1]);
        var coefficients = experts.Route(tokens, description);
        Observed?.Invoke(layer.Name, coefficients);
        return y.Accumulate((description.Combination == RouterCombination.MergeAfter ? experts.After(tokens, coefficients) : experts.Before(tokens, coefficients)).view_as(y));
    }

    internal override Tensor Embed(EmbeddingTable table, Tensor ids) => None.Embed(table, ids);

    internal override Tensor Norm(NormLayer norm, Tensor x) => None.Norm(norm, x);

    protected override void Free()
    {
        foreach (var experts in layers.Values)
            experts.Dispose();
    }

    private static bool Unequal(RouterModule module, List<LowRankDelta?> deltas) =>
        deltas.OfType<LowRankDelta>().Select(d => d.Rank).Distinct().Count() > 1
        || module.Experts.SelectMany(e => e.Scalings).OfType<double>().Distinct().Count() > 1;

    /// <summary>The experts of one layer.</summary>
    private sealed class Experts : IDisposable
    {
        private readonly Tensor prototypes; // (in, K)
        private readonly Tensor barred; // (K), −∞ for experts that take no part
        private readonly Tensor a; // (R, in)
        private readonly Tensor b; // (out, R)
        private readonly Tensor owners; // (R), the expert of each row of a
        private readonly int taking;
        private readonly int rank; // of each expert, where all are equal

        public Experts(Device device, ReadOnlySpan<float> rows, RouterModule module, List<LowRankDelta?> deltas)
        {
            var k = deltas.Count;
            prototypes = from_array(rows.ToArray()).reshape(k, -1).to(device).t().contiguous();
            // An expert may be routed here, and still lack this one of several tied modules: it takes its share and adds nothing.
            barred = from_array(Enumerable.Range(0, k).Select(e => module.Routes(e) ? 0f : float.NegativeInfinity).ToArray()).to(device);
            taking = Enumerable.Range(0, k).Count(module.Routes);
            a = cat([.. deltas.OfType<LowRankDelta>().Select(d => Send(d.A, device))], 0);
            b = cat([.. deltas.OfType<LowRankDelta>().Select(d => Send(d.B, device))], 1);
            owners = from_array(deltas.SelectMany((d, e) => Enumerable.Repeat((long)e, d?.Rank ?? 0)).ToArray()).to(device);
            rank = deltas.OfType<LowRankDelta>().First().Rank;
        }

        /// <summary>Coefficients, shape (N, K): 0 for those that are not chosen.</summary>
        public Tensor Route(Tensor tokens, RouterDescription description)
        {
            var logits = tokens.matmul(prototypes).abs();
            if (description.UnitInputs)
                logits = logits.div(tokens.norm(1, keepdim: true, p: 2).clamp_min(Scalars.Of(float.Epsilon)));
            var (sorted, order) = logits.Plus(barred).sort(1, descending: true, stable: true); // stable: the lower index first among equals
            var width = Math.Min(description.TopK, taking);
            var shares = sorted.narrow(1, 0, width).div(Scalars.Of(description.Temperature)).softmax(1);
            return zeros_like(logits).scatter(1, order.narrow(1, 0, width), shares);
        }

        public Tensor After(Tensor tokens, Tensor coefficients) =>
            nn.functional.linear(nn.functional.linear(tokens, a, null).mul(coefficients.index_select(1, owners)), b, null);

        // z = x·Āᵀ with Ā = Σ cₑ·Aₑ, then Σ cₑ·z·Bₑᵀ.
        public Tensor Before(Tensor tokens, Tensor coefficients)
        {
            var shares = coefficients.index_select(1, owners);
            var mixed = nn.functional.linear(tokens, a, null).mul(shares).view(tokens.shape[0], -1, rank).sum(1, keepdim: true);
            return nn.functional.linear(mixed.expand(tokens.shape[0], shares.shape[1] / rank, rank).reshape(tokens.shape[0], -1).mul(shares), b, null);
        }

        public void Detach()
        {
            foreach (var tensor in new[] { prototypes, barred, a, b, owners })
                tensor.DetachFromDisposeScope();
        }

        public void Dispose()
        {
            foreach (var tensor in new[] { prototypes, barred, a, b, owners })
                tensor.Dispose();
        }

        private static Tensor Send(Matrix matrix, Device device) => from_array(matrix.Values).reshape(matrix.Rows, matrix.Columns).to(ScalarType.Float32, device);
    }
}

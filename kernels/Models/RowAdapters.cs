using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>
/// Each row of a batch with adapters of its own. Where all only add factors, the base's product is one for all rows, and the factors of all go through two batched products, narrower ones filled up with
/// zeros; elsewhere rows are computed part by part.
/// </summary>
internal sealed class RowAdapters : ActiveAdapters
{
    private readonly (ActiveAdapters Active, int Start, int Rows)[] parts;
    private readonly LoadedAdapters?[]? loaded; // null: a part that is no adapter set; null entries: the base
    private readonly bool even;
    private readonly Dictionary<string, (Tensor A, Tensor B, Tensor? Bias)?> stacks = new(StringComparer.Ordinal);

    public RowAdapters(IReadOnlyList<(ActiveAdapters Active, int Rows)> given)
    {
        var start = 0;
        parts = [.. given.Where(g => g.Rows > 0).Select(g => (g.Active, (start += g.Rows) - g.Rows, g.Rows))];
        even = parts.All(p => p.Rows == parts[0].Rows);
        if (parts.All(p => p.Active is LoadedAdapters || ReferenceEquals(p.Active, None)))
            loaded = [.. parts.Select(p => p.Active as LoadedAdapters)];
    }

    internal override Tensor Linear(LinearLayer layer, Tensor x)
    {
        if (loaded is null || loaded.Any(l => l is not null && !l.OnlyAdds(layer)))
            return ByPart(x, (active, part) => active.Linear(layer, part));
        var y = None.Linear(layer, x);
        if (!even || parts.Length == 1)
        {
            foreach (var (active, start, rows) in parts)
            {
                if ((active as LoadedAdapters)?.Factors.GetValueOrDefault(layer.Name) is { } lora)
                    y.narrow(0, start, rows).Accumulate(lora.Apply(x.narrow(0, start, rows)));
            }

            return y;
        }

        if (Stack(layer) is not var (a, b, bias))
            return y;
        var k = parts.Length;
        var tokens = x.reshape(k, -1, x.shape[^1]);
        var added = tokens.bmm(a).bmm(b); // (K, rows·T, out)
        return y.Accumulate((bias is null ? added : added.Plus(bias)).view_as(y));
    }

    internal override Tensor Embed(EmbeddingTable table, Tensor ids) => ByPart(ids, (active, part) => active.Embed(table, part));

    internal override Tensor Norm(NormLayer norm, Tensor x) =>
        loaded is not null && loaded.All(l => l is null || l.Keeps(norm)) ? None.Norm(norm, x) : ByPart(x, (active, part) => active.Norm(norm, part));

    protected override void Free()
    {
        foreach (var stack in stacks.Values)
        {
            stack?.A.Dispose();
            stack?.B.Dispose();
            stack?.Bias?.Dispose();
        }

        stacks.Clear();
    }

    // (K, in, r), (K, r, out), (K, 1, out); null where no part adapts the layer.
    private (Tensor A, Tensor B, Tensor? Bias)? Stack(LinearLayer layer)
    {
        if (stacks.TryGetValue(layer.Name, out var known))
            return known;
        LoraFactors?[] factors = [.. loaded!.Select(l => l?.Factors.GetValueOrDefault(layer.Name))];
        if (factors.All(f => f is null))
            return stacks[layer.Name] = null;
        using var scope = NewDisposeScope();
        var rank = factors.Max(f => f?.A.shape[0] ?? 0);
        var (size, width) = (layer.Weight.shape[1], layer.Weight.shape[0]);
        var a = zeros(parts.Length, rank, size, device: layer.Weight.device);
        var b = zeros(parts.Length, width, rank, device: layer.Weight.device);
        var bias = factors.Any(f => f?.Bias is not null) ? zeros(parts.Length, 1, width, device: layer.Weight.device) : null;
        for (var k = 0; k < factors.Length; k++)
        {
            if (factors[k] is not { } own)
                continue;
            a.select(0, k).narrow(0, 0, own.A.shape[0]).copy_(own.A);
            b.select(0, k).narrow(1, 0, own.A.shape[0]).copy_(own.B);
            if (own.Bias is not null)
                bias!.select(0, k).select(0, 0).copy_(own.Bias);
        }

        (Tensor, Tensor, Tensor?) stack = (
            a.transpose(1, 2).contiguous().DetachFromDisposeScope(), b.transpose(1, 2).contiguous().DetachFromDisposeScope(), bias?.DetachFromDisposeScope());
        return stacks[layer.Name] = stack;
    }

    private Tensor ByPart(Tensor x, Func<ActiveAdapters, Tensor, Tensor> compute) =>
        parts.Length == 1 ? compute(parts[0].Active, x) : cat([.. parts.Select(p => compute(p.Active, x.narrow(0, p.Start, p.Rows)))], 0);
}

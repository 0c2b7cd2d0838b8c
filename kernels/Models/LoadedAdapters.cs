using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>One adapter or a weighted set: factors by module, and parameters that replace those of the base model.</summary>
/// <param name="factors">By the model's names of linear layers and tables.</param>
/// <param name="replaced">By the model's names of parameters.</param>
internal sealed class LoadedAdapters(IReadOnlyDictionary<string, LoraFactors> factors, IReadOnlyDictionary<string, Tensor> replaced) : ActiveAdapters
{
    /// <summary>Factors by module.</summary>
    public IReadOnlyDictionary<string, LoraFactors> Factors => factors;

    /// <summary>Whether a linear layer's output is the base's plus factors, so that rows with other adapters can share the base's product.</summary>
    public bool OnlyAdds(LinearLayer layer) =>
        factors.GetValueOrDefault(layer.Name)?.RowScale is null
        && (replaced.Count == 0 || (!replaced.ContainsKey(layer.Name + ".weight") && !replaced.ContainsKey(layer.Name + ".bias")));

    /// <summary>Whether a norm is the base's.</summary>
    public bool Keeps(NormLayer norm) => replaced.Count == 0 || (!replaced.ContainsKey(norm.Name + ".weight") && !replaced.ContainsKey(norm.Name + ".bias"));

    internal override Tensor Linear(LinearLayer layer, Tensor x)
    {
        var (weight, bias) = (Weight(layer.Name, layer.Weight), Bias(layer.Name, layer.Bias));
        if (factors.GetValueOrDefault(layer.Name) is not { } lora)
            return LinearLayer.Apply(x, weight, bias);
        if (lora.RowScale is not { } scale)
            return LinearLayer.Apply(x, weight, bias).Accumulate(lora.Apply(x));
        var scaled = LinearLayer.Apply(x, weight, null).Accumulate(lora.Apply(x)).mul(scale);
        return bias is null ? scaled : scaled.Plus(bias);
    }

    internal override Tensor Embed(EmbeddingTable table, Tensor ids)
    {
        var rows = EmbeddingTable.Rows(Weight(table.Name, table.Weight), ids);
        // The table changes by (B·A)ᵀ: row i of Aᵀ times Bᵀ.
        return factors.GetValueOrDefault(table.Name) is { } lora
            ? rows.Accumulate(nn.functional.linear(lora.A.index_select(1, ids.reshape(-1)).t(), lora.B, null).view_as(rows))
            : rows;
    }

    internal override Tensor Norm(NormLayer norm, Tensor x) => norm.Apply(x, Weight(norm.Name, norm.Weight), Bias(norm.Name, norm.Bias));

    protected override void Free()
    {
        foreach (var lora in factors.Values)
            lora.Dispose();
        foreach (var parameter in replaced.Values)
            parameter.Dispose();
    }

    private Tensor Weight(string module, Tensor own) => replaced.Count == 0 ? own : replaced.GetValueOrDefault(module + ".weight") ?? own;

    private Tensor? Bias(string module, Tensor? own) => replaced.Count == 0 ? own : replaced.GetValueOrDefault(module + ".bias") ?? own;
}

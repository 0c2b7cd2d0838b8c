using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>y = x·Wᵀ + b.</summary>
/// <param name="Name">Full path of the module, as adapters name it.</param>
/// <param name="Weight">W, shape (out, in); a view of the stored tensor where that is the transpose.</param>
/// <param name="Bias">b, shape (out); null for none.</param>
internal sealed record LinearLayer(string Name, Tensor Weight, Tensor? Bias)
{
    /// <summary>Applies other weights in this layer's place.</summary>
    public static Tensor Apply(Tensor x, Tensor weight, Tensor? bias) => nn.functional.linear(x, weight, bias);
}

/// <summary>A table with one row for each token or position.</summary>
/// <param name="Name">Full path of the module.</param>
/// <param name="Weight">Shape (rows, H).</param>
internal sealed record EmbeddingTable(string Name, Tensor Weight)
{
    /// <summary>The rows of a table, shape of <paramref name="ids"/> and H.</summary>
    public static Tensor Rows(Tensor table, Tensor ids) => table.index_select(0, ids.reshape(-1)).view([.. ids.shape, table.shape[1]]);
}

/// <summary>A norm over the last dimension.</summary>
/// <param name="Name">Full path of the module.</param>
/// <param name="Kind">Which.</param>
/// <param name="Epsilon">ε.</param>
/// <param name="Weight">w.</param>
/// <param name="Bias">b; null for none.</param>
internal sealed record NormLayer(string Name, NormKind Kind, double Epsilon, Tensor Weight, Tensor? Bias)
{
    /// <summary>The norm with other parameters in place of its own.</summary>
    public Tensor Apply(Tensor x, Tensor weight, Tensor? bias)
    {
        if (Kind == NormKind.Layer)
            return nn.functional.layer_norm(x, [weight.shape[0]], weight, bias, Epsilon);
        var size = x.mul(x).mean([-1], keepdim: true).add(Scalars.Of(Epsilon), Scalars.Of(1)).rsqrt();
        var scale = Kind == NormKind.RmsPlusOne ? weight.add(Scalars.Of(1), Scalars.Of(1)) : weight;
        return x.mul(size).mul(scale);
    }
}

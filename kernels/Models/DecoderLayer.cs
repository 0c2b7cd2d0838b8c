using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>What a pass brings to every layer.</summary>
/// <param name="Adapters">What is active.</param>
/// <param name="Masks">Who sees whom.</param>
/// <param name="Rotary">Rotary embeddings at the batch's positions; null where positions are learned.</param>
/// <param name="Cache">Where keys and values go; null for nowhere.</param>
internal sealed record LayerPass(ActiveAdapters Adapters, AttentionMasks Masks, RotaryTable? Rotary, KeyValueCache? Cache);

/// <summary>Attention and feed-forward part of one layer.</summary>
internal sealed class DecoderLayer(int index, ModelConfig config, LayerConfig layerConfig)
{
    public LayerConfig Config => layerConfig;

    public required NormLayer AttentionNorm { get; init; }

    /// <summary>Queries, keys and values: three layers, or one that holds them one after the other.</summary>
    public required LinearLayer[] Projections { get; init; }

    public required NormLayer? QueryNorm { get; init; }

    public required NormLayer? KeyNorm { get; init; }

    public required LinearLayer Output { get; init; }

    public required NormLayer? AttentionOutputNorm { get; init; }

    public required NormLayer? FeedForwardNorm { get; init; }

    public required LinearLayer? Gate { get; init; }

    public required LinearLayer Up { get; init; }

    public required bool UpHoldsGate { get; init; }

    public required LinearLayer Down { get; init; }

    public required NormLayer? FeedForwardOutputNorm { get; init; }

    /// <param name="x">Shape (B, T, H).</param>
    /// <param name="pass">The rest.</param>
    public Tensor Forward(Tensor x, LayerPass pass)
    {
        var normed = pass.Adapters.Norm(AttentionNorm, x);
        var attended = Attend(normed, pass);
        if (AttentionOutputNorm is not null)
            attended = pass.Adapters.Norm(AttentionOutputNorm, attended);
        if (FeedForwardNorm is null)
            return attended.Plus(FeedForward(normed, pass)).Plus(x);
        x = x.Plus(attended);
        var fed = FeedForward(pass.Adapters.Norm(FeedForwardNorm, x), pass);
        return x.Plus(FeedForwardOutputNorm is null ? fed : pass.Adapters.Norm(FeedForwardOutputNorm, fed));
    }

    private Tensor Attend(Tensor x, LayerPass pass)
    {
        var (rows, columns) = (x.shape[0], x.shape[1]);
        var (q, k, v) = Project(x, pass.Adapters);
        Tensor Heads(Tensor all, NormLayer? norm)
        {
            var split = all.view(rows, columns, -1, config.HeadSize);
            return (norm is null ? split : pass.Adapters.Norm(norm, split)).transpose(1, 2); // (B, heads, T, D)
        }

        var (queries, keys, values) = (Heads(q, QueryNorm), Heads(k, KeyNorm), Heads(v, null));
        if (pass.Rotary is { } rotary)
            (queries, keys) = (rotary.Turn(queries), rotary.Turn(keys));
        if (pass.Cache is { } cache)
            (keys, values) = cache.Append(index, keys, values);
        var scale = config.AttentionScale * Math.Sqrt(config.HeadSize); // beside the one that the kernel has built in
        if (Math.Abs(scale - 1) > 1e-12)
            queries = queries.mul(Scalars.Of(scale));
        var mixed = nn.functional.scaled_dot_product_attention(queries, Repeat(keys), Repeat(values), pass.Masks.For(Config.Window));
        return pass.Adapters.Linear(Output, mixed.transpose(1, 2).reshape(rows, columns, -1));
    }

    private (Tensor Queries, Tensor Keys, Tensor Values) Project(Tensor x, ActiveAdapters adapters)
    {
        if (Projections is [var query, var key, var value])
            return (adapters.Linear(query, x), adapters.Linear(key, x), adapters.Linear(value, x));
        var packed = adapters.Linear(Projections[0], x);
        var (queries, others) = (config.Heads * config.HeadSize, config.KeyValueHeads * config.HeadSize);
        return (packed.narrow(-1, 0, queries), packed.narrow(-1, queries, others), packed.narrow(-1, queries + others, others));
    }

    // Heads of queries that share keys and values lie side by side.
    private Tensor Repeat(Tensor heads)
    {
        var group = config.Heads / config.KeyValueHeads;
        if (group == 1)
            return heads;
        var shape = heads.shape;
        return heads.unsqueeze(2).expand(shape[0], shape[1], group, shape[2], shape[3]).reshape(shape[0], shape[1] * group, shape[2], shape[3]);
    }

    private Tensor FeedForward(Tensor x, LayerPass pass)
    {
        var up = pass.Adapters.Linear(Up, x);
        if (UpHoldsGate)
        {
            var width = up.shape[^1] / 2;
            up = Activate(up.narrow(-1, 0, width)).mul(up.narrow(-1, width, width));
        }
        else
        {
            up = Gate is null ? Activate(up) : Activate(pass.Adapters.Linear(Gate, x)).mul(up);
        }

        return pass.Adapters.Linear(Down, up);
    }

    private Tensor Activate(Tensor x) => config.Activation switch
    {
        Activation.Silu => x.silu(),
        Activation.Gelu => x.gelu(),
        Activation.GeluTanh => x.gelu(TorchSharp.Modules.GELU.Approximate.tanh),
        _ => x.relu(),
    };
}

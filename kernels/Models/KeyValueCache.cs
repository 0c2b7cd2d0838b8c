using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>
/// Keys and values of tokens that a model has seen, so that what follows them is computed without them. A pass with a cache adds its own tokens; rows can be taken several times, to
/// continue one prompt in several ways.
/// </summary>
public sealed class KeyValueCache : IDisposable
{
    private readonly (Tensor Keys, Tensor Values)?[] layers;
    private Tensor? positions;
    private Tensor? valid;

    /// <summary>An empty cache.</summary>
    /// <param name="layers">How many layers the model has.</param>
    public KeyValueCache(int layers) => this.layers = new (Tensor, Tensor)?[layers];

    /// <summary>How many places it holds, padding included.</summary>
    public int Length => positions is null ? 0 : (int)positions.shape[1];

    /// <summary>Positions of the tokens that it holds, shape (B, S).</summary>
    internal Tensor? Positions => positions;

    /// <summary>Which places hold tokens, shape (B, S).</summary>
    internal Tensor? Valid => valid;

    /// <summary>A cache of some of the rows, in that order; this one stays as it is.</summary>
    /// <param name="rows">Indices of rows; one may occur several times.</param>
    public KeyValueCache Select(IReadOnlyList<int> rows)
    {
        using var scope = NewDisposeScope();
        var index = from_array(rows.Select(r => (long)r).ToArray()).to(positions!.device);
        Tensor Take(Tensor from) => from.index_select(0, index).DetachFromDisposeScope();
        var taken = new KeyValueCache(layers.Length) { positions = Take(positions), valid = Take(valid!) };
        for (var i = 0; i < layers.Length; i++)
            taken.layers[i] = layers[i] is var (keys, values) ? (Take(keys), Take(values)) : null;
        return taken;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in layers)
        {
            layer?.Keys.Dispose();
            layer?.Values.Dispose();
        }

        Array.Clear(layers);
        positions?.Dispose();
        valid?.Dispose();
        (positions, valid) = (null, null);
    }

    /// <summary>Adds the places of a batch, and returns positions and validity of all.</summary>
    internal (Tensor Positions, Tensor Valid) Append(TokenBatch batch)
    {
        // Clones where there is nothing to append to: the batch's own tensors are the caller's to dispose.
        positions = Replace(positions, positions is null ? batch.Positions.clone() : cat([positions, batch.Positions], 1));
        valid = Replace(valid, valid is null ? batch.Valid.clone() : cat([valid, batch.Valid], 1));
        return (positions, valid);
    }

    /// <summary>Adds a layer's keys and values, shape (B, heads, T, D), and returns those of all places.</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values)
    {
        var before = layers[layer];
        var appended = (
            Replace(before?.Keys, before is null ? keys.clone() : cat([before.Value.Keys, keys], 2)),
            Replace(before?.Values, before is null ? values.clone() : cat([before.Value.Values, values], 2)));
        layers[layer] = appended;
        return appended;
    }

    private static Tensor Replace(Tensor? old, Tensor appended)
    {
        old?.Dispose();
        return appended.DetachFromDisposeScope();
    }
}

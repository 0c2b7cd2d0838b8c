using static TorchSharp.torch;

namespace Marketplace.Kernels.Models;

/// <summary>On which side shorter sequences of a batch are filled up.</summary>
public enum PaddingSide
{
    /// <summary>After their tokens.</summary>
    Right,

    /// <summary>Before their tokens, so that all end in the last column.</summary>
    Left,
}

/// <summary>Sequences of tokens, one a row, filled up to one length. Padding is never looked at, and positions count real tokens only.</summary>
public sealed class TokenBatch : IDisposable
{
    private TokenBatch(Tensor ids, Tensor positions, Tensor valid) => (Ids, Positions, Valid) = (ids, positions, valid);

    /// <summary>Token ids, shape (B, T), int64.</summary>
    public Tensor Ids { get; }

    /// <summary>Position of each token in its sequence, shape (B, T), int64; 0 at padding before it.</summary>
    public Tensor Positions { get; }

    /// <summary>Whether each place holds a token, shape (B, T), bool.</summary>
    public Tensor Valid { get; }

    /// <summary>B.</summary>
    public int Rows => (int)Ids.shape[0];

    /// <summary>T.</summary>
    public int Columns => (int)Ids.shape[1];

    /// <summary>Sequences as a batch on a device; the caller disposes it.</summary>
    /// <param name="sequences">Tokens of each row.</param>
    /// <param name="device">Where the model is.</param>
    /// <param name="side">Where shorter ones are filled up.</param>
    /// <param name="firstPositions">The position of each row's first token, where tokens went before in a cache; 0 for all by default.</param>
    /// <param name="padding">What is put at padding; of no effect on any score.</param>
    public static TokenBatch Of(
        IReadOnlyList<ReadOnlyMemory<int>> sequences, Device device, PaddingSide side = PaddingSide.Right, IReadOnlyList<int>? firstPositions = null, int padding = 0)
    {
        var (rows, columns) = (sequences.Count, sequences.Max(s => s.Length));
        var (ids, positions, valid) = (new long[rows * columns], new long[rows * columns], new bool[rows * columns]);
        Array.Fill(ids, padding);
        for (var i = 0; i < rows; i++)
        {
            var sequence = sequences[i].Span;
            var (start, first) = (side == PaddingSide.Right ? 0 : columns - sequence.Length, firstPositions?[i] ?? 0);
            for (var t = 0; t < columns; t++)
            {
                var at = (i * columns) + t;
                var place = t - start;
                positions[at] = first + Math.Clamp(place, 0, Math.Max(sequence.Length - 1, 0));
                if (valid[at] = place >= 0 && place < sequence.Length)
                    ids[at] = sequence[place];
            }
        }

        return new(Send(ids), Send(positions), Send(valid));

        Tensor Send<T>(T[] values)
            where T : unmanaged
        {
            using var scope = NewDisposeScope();
            return from_array(values).reshape(rows, columns).to(device).DetachFromDisposeScope();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Ids.Dispose();
        Positions.Dispose();
        Valid.Dispose();
    }
}

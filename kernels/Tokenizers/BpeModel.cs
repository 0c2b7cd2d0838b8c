using System.Buffers;
using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>What a <see cref="BpeModel"/> does with characters that its vocabulary lacks, and around merges.</summary>
internal sealed record BpeOptions
{
    /// <summary>The unknown token; -1 where unknown characters leave no trace.</summary>
    public int Unknown { get; init; } = -1;

    /// <summary>Whether neighbouring unknown characters are one token.</summary>
    public bool FusesUnknown { get; init; }

    /// <summary>Whether an unknown character becomes its bytes' tokens, if all of them exist.</summary>
    public bool FallsBackToBytes { get; init; }

    /// <summary>Whether a piece that is a token needs no merges.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>What is put in front of every character but a piece's first to find its token.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>What is put behind a piece's last character.</summary>
    public string Suffix { get; init; } = "";
}

/// <summary>
/// Byte-pair encoding (Sennrich et al. 2016): characters are merged pair by pair, the pair of the lowest rank first and of equals the leftmost. A queue of pairs over a linked list makes that
/// O(n log n) for pieces of any length.
/// </summary>
internal sealed class BpeModel(Vocabulary vocabulary, MergeTable merges, BpeOptions options) : TokenModel(vocabulary)
{
    private readonly WordCache _cache = new();
    private readonly int[]? _bytes = options.FallsBackToBytes ? vocabulary.Bytes() : null;

    public override void Tokenize(ReadOnlySpan<char> piece, List<ModelToken> into)
    {
        if (options.IgnoresMerges && Vocabulary.IdOf(piece) is >= 0 and var whole)
        {
            into.Add(new(whole, 0, piece.Length));
            return;
        }

        if (_cache.TryAdd(piece, into))
            return;
        var first = into.Count;
        Characters(piece, into);
        MergeAll(into, first);
        _cache.Keep(piece, into, first);
    }

    // The tokens of single characters.
    private void Characters(ReadOnlySpan<char> piece, List<ModelToken> into)
    {
        ModelToken? unknown = null;
        Span<byte> bytes = stackalloc byte[4];
        for (var i = 0; i < piece.Length;)
        {
            var length = char.IsHighSurrogate(piece[i]) && i + 1 < piece.Length ? 2 : 1;
            var (start, end) = (i, i += length);
            var id = Find(piece[start..end], start == 0, end == piece.Length);
            if (id >= 0)
            {
                Flush(ref unknown, into);
                into.Add(new(id, start, end));
                continue;
            }

            if (_bytes is not null)
            {
                Rune.DecodeFromUtf16(piece[start..end], out var rune, out _);
                var count = rune.EncodeToUtf8(bytes);
                if (Known(bytes[..count]))
                {
                    // Unknown characters before it are still held back, and so come after it: the reference's order.
                    foreach (var value in bytes[..count])
                        into.Add(new(_bytes[value], start, end));
                    continue;
                }
            }

            if (options.Unknown < 0)
                continue;
            if (unknown is { } held && options.FusesUnknown)
                unknown = held with { End = end };
            else
            {
                Flush(ref unknown, into);
                unknown = new(options.Unknown, start, end);
            }
        }

        Flush(ref unknown, into);
    }

    private int Find(ReadOnlySpan<char> character, bool first, bool last)
    {
        var prefix = first ? "" : options.Prefix;
        var suffix = last ? options.Suffix : "";
        return prefix.Length + suffix.Length == 0 ? Vocabulary.IdOf(character) : Vocabulary.IdOf($"{prefix}{character}{suffix}");
    }

    private bool Known(ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
            if (_bytes![value] < 0)
                return false;
        return true;
    }

    private static void Flush(ref ModelToken? unknown, List<ModelToken> into)
    {
        if (unknown is { } token)
            into.Add(token);
        unknown = null;
    }

    private void MergeAll(List<ModelToken> tokens, int first)
    {
        var count = tokens.Count - first;
        if (count < 2)
            return;
        var symbols = ArrayPool<Symbol>.Shared.Rent(count);
        try
        {
            for (var i = 0; i < count; i++)
                symbols[i] = new() { Token = tokens[first + i], Previous = i - 1, Next = i + 1 };
            if (!MergeSymbols(symbols.AsSpan(0, count)))
                return;
            tokens.RemoveRange(first, count);
            for (var i = 0; i < count; i = symbols[i].Next)
                tokens.Add(symbols[i].Token);
        }
        finally
        {
            ArrayPool<Symbol>.Shared.Return(symbols);
        }
    }

    // Symbol 0 is always the left of its merges, so the list starts there to the end; ids of -1 mark symbols that were merged into others.
    private bool MergeSymbols(Span<Symbol> symbols)
    {
        var queue = new MergeQueue(symbols.Length);
        for (var i = 0; i + 1 < symbols.Length; i++)
            Offer(symbols, i, i + 1, ref queue);
        var merged = false;
        while (queue.TryTake(out var at, out var id))
        {
            ref var left = ref symbols[at];
            if (left.Token.Id < 0 || left.Next >= symbols.Length)
                continue;
            ref var right = ref symbols[left.Next];
            // Of a pair that has changed since it was queued there is a newer entry, or none.
            if (!merges.TryFind(left.Token.Id, right.Token.Id, out _, out var becomes) || becomes != id)
                continue;
            merged = true;
            left.Token = new(id, Math.Min(left.Token.Start, right.Token.Start), Math.Max(left.Token.End, right.Token.End));
            right.Token = right.Token with { Id = -1 };
            left.Next = right.Next;
            if (left.Next < symbols.Length)
            {
                symbols[left.Next].Previous = at;
                Offer(symbols, at, left.Next, ref queue);
            }

            if (left.Previous >= 0)
                Offer(symbols, left.Previous, at, ref queue);
        }

        queue.Return();
        return merged;
    }

    private void Offer(Span<Symbol> symbols, int left, int right, ref MergeQueue queue)
    {
        if (merges.TryFind(symbols[left].Token.Id, symbols[right].Token.Id, out var rank, out var id))
            queue.Add(rank, left, id);
    }

    private struct Symbol
    {
        public ModelToken Token;
        public int Previous;
        public int Next;
    }
}

/// <summary>Pairs by rank, then by place: a binary heap in rented arrays, for one piece.</summary>
internal struct MergeQueue(int capacity)
{
    private (long Order, int Id)[] _heap = ArrayPool<(long, int)>.Shared.Rent(Math.Max(capacity, 16));
    private int _count;

    public void Add(int rank, int place, int id)
    {
        if (_count == _heap.Length)
        {
            var larger = ArrayPool<(long, int)>.Shared.Rent(_count * 2);
            _heap.AsSpan().CopyTo(larger);
            Return();
            _heap = larger;
        }

        var order = ((long)rank << 32) | (uint)place;
        var at = _count++;
        for (var parent = (at - 1) / 2; at > 0 && _heap[parent].Order > order; parent = (at - 1) / 2)
        {
            _heap[at] = _heap[parent];
            at = parent;
        }

        _heap[at] = (order, id);
    }

    public bool TryTake(out int place, out int id)
    {
        (place, id) = (0, 0);
        if (_count == 0)
            return false;
        (var order, id) = _heap[0];
        place = (int)(uint)order;
        var moved = _heap[--_count];
        var at = 0;
        for (var child = 1; child < _count; child = 2 * at + 1)
        {
            if (child + 1 < _count && _heap[child + 1].Order < _heap[child].Order)
                child++;
            if (_heap[child].Order >= moved.Order)
                break;
            _heap[at] = _heap[child];
            at = child;
        }

        _heap[at] = moved;
        return true;
    }

    public readonly void Return() => ArrayPool<(long, int)>.Shared.Return(_heap);
}

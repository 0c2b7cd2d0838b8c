namespace Marketplace.Kernels.Tokenizers;

/// <summary>
/// Merges by pairs of ids: an open table, half full at most. Nearly all the time of an encoding is spent here, and the multiplier is drawn at random, so that a file can't be written to make it slow.
/// </summary>
internal sealed class MergeTable
{
    private readonly Entry[] _entries;
    private readonly ulong _multiplier = ((ulong)Random.Shared.NextInt64() << 1) | 1 | 1ul << 63;
    private readonly int _shift;

    /// <param name="merges">By <see cref="Pair"/>.</param>
    public MergeTable(Dictionary<long, (int Rank, int Id)> merges)
    {
        var bits = 4;
        while (1 << bits < merges.Count * 2)
            bits++;
        (_entries, _shift) = (new Entry[1 << bits], 64 - bits);
        Array.Fill(_entries, new(-1, 0, 0));
        foreach (var (pair, (rank, id)) in merges)
        {
            var at = Place(pair);
            while (_entries[at].Pair >= 0)
                at = (at + 1) & (_entries.Length - 1);
            _entries[at] = new(pair, rank, id);
        }
    }

    /// <summary>The key of a pair of ids.</summary>
    public static long Pair(int left, int right) => ((long)left << 32) | (uint)right;

    /// <summary>What a pair becomes, and how early.</summary>
    public bool TryFind(int left, int right, out int rank, out int id)
    {
        var pair = Pair(left, right);
        for (var at = Place(pair); ; at = (at + 1) & (_entries.Length - 1))
        {
            ref readonly var entry = ref _entries[at];
            if (entry.Pair == pair || entry.Pair < 0)
            {
                (rank, id) = (entry.Rank, entry.Id);
                return entry.Pair >= 0;
            }
        }
    }

    private int Place(long pair) => (int)((ulong)pair * _multiplier >> _shift);

    private readonly record struct Entry(long Pair, int Rank, int Id);
}

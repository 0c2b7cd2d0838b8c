namespace Marketplace.Kernels.Evaluation;

/// <summary>A sequence that is scored in a row, and where its score goes.</summary>
/// <param name="Item">The item.</param>
/// <param name="Sequence">The sequence of the item.</param>
/// <param name="Targets">The tokens that are scored; they lie at the end of what the row reads, one place later.</param>
internal sealed record ScoredRow(int Item, int Sequence, ReadOnlyMemory<int> Targets);

/// <summary>A row of a batch: tokens to read, and the sequences that are scored by what is read. Choices of one token each after one prompt are one row.</summary>
/// <param name="Prompt">Index of the prompt that goes before.</param>
/// <param name="Read">The tokens.</param>
/// <param name="Scored">What is scored.</param>
internal sealed record PackRow(int Prompt, ReadOnlyMemory<int> Read, List<ScoredRow> Scored);

/// <summary>
/// Sequences that are scored in one batch. What the sequences of an item have in common is read once, and continued from its keys and values; sequences of like lengths go together, so that
/// little is padded.
/// </summary>
internal sealed class ScoringPack
{
    private const int LeastShared = 4; // tokens; fewer are read again sooner than a cache is filled and taken apart

    /// <summary>What is read before the rows, by index; empty where nothing is shared.</summary>
    public List<ReadOnlyMemory<int>> Prompts { get; } = [];

    /// <summary>The rows.</summary>
    public List<PackRow> Rows { get; } = [];

    /// <summary>Rows times columns, of the larger of the two passes.</summary>
    public int Tokens => Math.Max(Rows.Count * Rows.Max(r => r.Read.Length), Prompts.Count == 0 ? 0 : Prompts.Count * Prompts.Max(p => p.Length));

    /// <summary>Packs sequences.</summary>
    /// <param name="items">The sequences of each item.</param>
    /// <param name="tokens">Rows times columns of a pack.</param>
    public static IEnumerable<ScoringPack> Of(IReadOnlyList<IReadOnlyList<ScoredSequence>> items, int tokens)
    {
        var pieces = items.SelectMany((sequences, item) => Pieces(item, sequences, tokens)).ToList();
        foreach (var group in pieces.GroupBy(p => p.Shared > 0))
        {
            var pack = new ScoringPack();
            foreach (var piece in group.OrderByDescending(p => p.Longest).ThenByDescending(p => p.Shared).ThenBy(p => p.Item))
            {
                var before = (pack.Prompts.Count, pack.Rows.Count);
                pack.Add(piece);
                if (before.Item2 == 0 || pack.Tokens <= tokens)
                    continue;
                pack.Prompts.RemoveRange(before.Item1, pack.Prompts.Count - before.Item1);
                pack.Rows.RemoveRange(before.Item2, pack.Rows.Count - before.Item2);
                yield return pack;
                pack = new();
                pack.Add(piece);
            }

            yield return pack;
        }
    }

    // An item whose sequences are too many for one batch is read in pieces.
    private static IEnumerable<Piece> Pieces(int item, IReadOnlyList<ScoredSequence> sequences, int tokens)
    {
        var all = sequences.Select((s, i) => (Sequence: s, Index: i)).ToList();
        var shared = sequences.Count < 2 ? 0 : Math.Min(sequences.Min(s => s.First) - 1, Common(sequences));
        if (shared < LeastShared)
            shared = 0;
        var longest = Math.Max(1, sequences.Count == 0 ? 1 : sequences.Max(s => s.Read) - shared);
        return all.Chunk(Math.Max(1, tokens / longest)).Select(part => new Piece(item, shared, longest, part));
    }

    private static int Common(IReadOnlyList<ScoredSequence> sequences) =>
        sequences.Skip(1).Aggregate(sequences[0].Read, (common, s) => Math.Min(common, sequences[0].Tokens.Span[..common].CommonPrefixLength(s.Tokens.Span[..s.Read])));

    private void Add(Piece piece)
    {
        if (piece.Shared > 0)
            Prompts.Add(piece.Sequences[0].Sequence.Tokens[..piece.Shared]);
        var first = Rows.Count;
        foreach (var (sequence, index) in piece.Sequences)
        {
            var read = sequence.Tokens[piece.Shared..sequence.Read];
            var row = Rows.Skip(first).FirstOrDefault(r => r.Read.Span.SequenceEqual(read.Span));
            if (row is null)
                Rows.Add(row = new(Prompts.Count - 1, read, []));
            row.Scored.Add(new(piece.Item, index, sequence.Tokens[sequence.First..]));
        }
    }

    private sealed record Piece(int Item, int Shared, int Longest, (ScoredSequence Sequence, int Index)[] Sequences);
}

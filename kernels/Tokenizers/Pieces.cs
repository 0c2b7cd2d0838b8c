namespace Marketplace.Kernels.Tokenizers;

/// <summary>What happens to the matches of a pattern that a text is split by.</summary>
internal enum SplitBehaviour
{
    /// <summary>They are dropped.</summary>
    Removed,

    /// <summary>Each is a piece of its own.</summary>
    Isolated,

    /// <summary>Each ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>Each begins the piece after it.</summary>
    MergedWithNext,

    /// <summary>Neighbouring ones are one piece.</summary>
    Contiguous,
}

/// <summary>A stretch of text and the pieces it is cut into, none of them empty. What lies outside them is gone.</summary>
internal sealed class Pieces(AlignedText text)
{
    private List<Match> _spare = [];
    private readonly List<Match> _found = [];
    private readonly List<(Match Range, bool Matched)> _cuts = [];

    public AlignedText Text { get; private set; } = text;

    public List<Match> Ranges { get; private set; } = text.Text.Length == 0 ? [] : [new(0, text.Text.Length)];

    /// <summary>Rewrites every piece; <paramref name="write"/> adds the new form of one to the builder.</summary>
    public void Rewrite(Action<AlignedText, Match, AlignedBuilder> write)
    {
        var made = new AlignedBuilder(Text, Text.Text.Length + Ranges.Count);
        _spare.Clear();
        foreach (var range in Ranges)
        {
            var start = made.Length;
            write(Text, range, made);
            if (made.Length > start)
                _spare.Add(new(start, made.Length));
        }

        Text = made.Build();
        Swap();
    }

    /// <summary>Cuts every piece at the matches of a pattern or, <paramref name="inverted"/>, at what lies between them. A piece is searched as if it were the whole text.</summary>
    public void Split(TextPattern pattern, SplitBehaviour behaviour, bool inverted)
    {
        _spare.Clear();
        foreach (var range in Ranges)
        {
            _found.Clear();
            _cuts.Clear();
            pattern.Find(Text.Text.AsSpan(range.Start, range.End - range.Start), _found);
            var at = range.Start;
            foreach (var match in _found)
            {
                var (start, end) = (match.Start + range.Start, match.End + range.Start);
                if (start > at)
                    _cuts.Add((new(at, start), inverted));
                _cuts.Add((new(start, end), !inverted));
                at = end;
            }

            if (at < range.End)
                _cuts.Add((new(at, range.End), inverted));
            Join(behaviour);
        }

        Swap();
    }

    private void Join(SplitBehaviour behaviour)
    {
        var before = _spare.Count;
        for (var i = 0; i < _cuts.Count; i++)
        {
            var (range, matched) = _cuts[i];
            var previous = i > 0 && _cuts[i - 1].Matched;
            switch (behaviour)
            {
                case SplitBehaviour.Removed when matched:
                    continue;
                case SplitBehaviour.MergedWithPrevious when matched && !previous && _spare.Count > before:
                case SplitBehaviour.Contiguous when matched == previous && _spare.Count > before:
                    _spare[^1] = _spare[^1] with { End = range.End };
                    continue;
                // Of matches in a row the last one begins the next piece.
                case SplitBehaviour.MergedWithNext when matched && i + 1 < _cuts.Count && !_cuts[i + 1].Matched:
                    _spare.Add(new(range.Start, _cuts[++i].Range.End));
                    continue;
                default:
                    _spare.Add(range);
                    continue;
            }
        }

        for (var i = _spare.Count - 1; i >= before; i--)
            if (_spare[i].Start == _spare[i].End)
                _spare.RemoveAt(i);
    }

    private void Swap() => (Ranges, _spare) = (_spare, Ranges);
}

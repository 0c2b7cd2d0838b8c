namespace Marketplace.Kernels.Tokenizers;

/// <summary>A step that cuts text into the pieces that a model sees one at a time.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Whether it asks where in the input a piece begins, so that ranges have to be kept.</summary>
    public virtual bool AsksForPlaces => false;

    /// <summary>How many times as long a text may become, at most.</summary>
    public virtual double Growth => 1;

    public abstract void Apply(Pieces pieces);
}

/// <summary>One after the other.</summary>
internal sealed class PreTokenizerSequence(IReadOnlyList<PreTokenizer> steps) : PreTokenizer
{
    public override bool AsksForPlaces => steps.Any(s => s.AsksForPlaces);

    public override double Growth => steps.Aggregate(1.0, (growth, step) => growth * step.Growth);

    public override void Apply(Pieces pieces)
    {
        foreach (var step in steps)
            step.Apply(pieces);
    }
}

/// <summary>Cuts at a pattern.</summary>
internal sealed class SplitPreTokenizer(TextPattern pattern, SplitBehaviour behaviour, bool inverted) : PreTokenizer
{
    /// <summary>Words, and runs of what is neither word nor white space.</summary>
    public static SplitPreTokenizer Whitespace { get; } = new(new WordPattern(), SplitBehaviour.Removed, true);

    /// <summary>What white space separates.</summary>
    public static SplitPreTokenizer WhitespaceSplit { get; } = new(new ClassPattern(Characters.IsSpace), SplitBehaviour.Removed, false);

    /// <summary>Numbers apart from the rest, digit by digit or each as a whole.</summary>
    public static SplitPreTokenizer Digits(bool single) =>
        new(new ClassPattern(Characters.IsNumber), single ? SplitBehaviour.Isolated : SplitBehaviour.Contiguous, false);

    public static SplitPreTokenizer Punctuation(SplitBehaviour behaviour) => new(new ClassPattern(Characters.IsPunctuation), behaviour, false);

    public override void Apply(Pieces pieces) => pieces.Split(pattern, behaviour, inverted);
}

/// <summary>Runs of word characters, and runs of characters that are neither those nor white space.</summary>
internal sealed class WordPattern : TextPattern
{
    public override void Find(ReadOnlySpan<char> text, List<Match> into)
    {
        var start = 0;
        var kind = 0;
        for (var i = 0; i < text.Length;)
        {
            System.Text.Rune.DecodeFromUtf16(text[i..], out var rune, out var length);
            var next = Characters.IsWord(rune, true) ? 1 : Characters.IsSpace(rune) ? 0 : 2;
            if (next != kind)
            {
                if (kind > 0)
                    into.Add(new(start, i));
                (start, kind) = (i, next);
            }

            i += length;
        }

        if (kind > 0)
            into.Add(new(start, text.Length));
    }
}

/// <summary>Cuts as GPT-2 did, unless told not to, and spells the bytes of every piece in letters.</summary>
internal sealed class ByteLevelPreTokenizer(bool addsSpace, bool splits) : PreTokenizer
{
    private static readonly RegexPattern Gpt2 =
        RegexPattern.TryCreate(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", out var reason) ?? throw new InvalidOperationException(reason);

    // A space before each piece, and three bytes for each code unit.
    public override double Growth => addsSpace ? 6 : 3;

    public override void Apply(Pieces pieces)
    {
        if (addsSpace)
            pieces.Rewrite(static (text, range, made) =>
            {
                if (text.Text[range.Start] is not ' ')
                    made.Add(' ', range.Start);
                made.Copy(range.Start, range.End);
            });
        if (splits)
            pieces.Split(Gpt2, SplitBehaviour.Isolated, false);
        pieces.Rewrite(static (text, range, made) => ByteLetters.Spell(text, range.Start, range.End, made));
    }
}

/// <summary>Where <see cref="MetaspacePreTokenizer"/> puts a replacement in front.</summary>
internal enum PrependScheme
{
    /// <summary>In front of every piece that lacks one.</summary>
    Always,

    /// <summary>In front of the piece at the beginning of the input.</summary>
    First,

    /// <summary>Nowhere.</summary>
    Never,
}

/// <summary>Writes spaces as a visible character, which begins words.</summary>
internal sealed class MetaspacePreTokenizer(string replacement, PrependScheme scheme, bool splits) : PreTokenizer
{
    private readonly LiteralPattern _pattern = new(replacement);

    public override bool AsksForPlaces => scheme is PrependScheme.First;

    public override double Growth => 1 + replacement.Length;

    public override void Apply(Pieces pieces)
    {
        pieces.Rewrite((text, range, made) =>
        {
            var piece = text.Text.AsSpan(range.Start, range.End - range.Start);
            var begins = piece[0] is ' ' || piece.StartsWith(replacement, StringComparison.Ordinal);
            if (!begins && (scheme is PrependScheme.Always || (scheme is PrependScheme.First && text.Range(range.Start, range.End).Start == 0)))
                made.Add(replacement, range.Start);
            for (var i = range.Start; i < range.End;)
            {
                var space = text.Text.AsSpan(i, range.End - i).IndexOf(' ');
                var plain = space < 0 ? range.End : i + space;
                made.Copy(i, plain);
                if (space >= 0)
                    made.Add(replacement, plain);
                i = plain + 1;
            }
        });
        if (splits)
            pieces.Split(_pattern, SplitBehaviour.MergedWithNext, false);
    }
}

using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>A step that rewrites text before it is split, keeping what each character came from.</summary>
internal abstract class Normalizer
{
    /// <summary>How many times as long a text may become, at most. Sequences multiply, so that a short file could ask for any amount of memory.</summary>
    public virtual double Growth => 1;

    public abstract AlignedText Apply(AlignedText text);
}

/// <summary>One after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<Normalizer> steps) : Normalizer
{
    public override double Growth => steps.Aggregate(1.0, (growth, step) => growth * step.Growth);

    public override AlignedText Apply(AlignedText text) => steps.Aggregate(text, (t, step) => step.Apply(t));
}

/// <summary>Each character by itself: kept, left out, or replaced by characters that stand for the same input.</summary>
internal sealed class CharacterNormalizer(CharacterNormalizer.Rewrite rewrite, double growth = 1) : Normalizer
{
    /// <summary>Writes what a character becomes and says how many code units that is; -1 leaves it as it is.</summary>
    public delegate int Rewrite(Rune rune, Span<char> into);

    /// <summary>Lower case by the full mapping, whose one exception to the simple one is İ.</summary>
    public static CharacterNormalizer Lowercase { get; } = new(
        (rune, into) =>
        {
            if (rune.Value is 0x130)
            {
                "i\u0307".CopyTo(into);
                return 2;
            }

            var lower = Rune.ToLowerInvariant(rune);
            return lower == rune ? -1 : lower.EncodeToUtf16(into);
        },
        2);

    /// <summary>Leaves out combining marks.</summary>
    public static CharacterNormalizer StripAccents { get; } = new((rune, _) => Characters.IsMark(rune) ? 0 : -1);

    /// <summary>Leaves out control characters; line ends, format characters and the like become spaces.</summary>
    public static CharacterNormalizer Nmt { get; } = new((rune, into) =>
    {
        switch (rune.Value)
        {
            case (>= 1 and <= 8) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or 0x8F or 0x9F:
                return 0;
            case 9 or 0x0A or 0x0C or 0x0D or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD:
                into[0] = ' ';
                return 1;
            default:
                return -1;
        }
    });

    public override double Growth => growth;

    public override AlignedText Apply(AlignedText text)
    {
        var made = new AlignedBuilder(text, text.Text.Length);
        Span<char> into = stackalloc char[4];
        var copied = 0;
        for (var i = 0; i < text.Text.Length;)
        {
            Rune.DecodeFromUtf16(text.Text.AsSpan(i), out var rune, out var length);
            var count = rewrite(rune, into);
            if (count >= 0)
            {
                made.Copy(copied, i);
                made.Add(into[..count], i);
                copied = i + length;
            }

            i += length;
        }

        if (copied == 0 && made.Length == 0)
            return text;
        made.Copy(copied, text.Text.Length);
        return made.Build();
    }
}

/// <summary>White space off the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    public override AlignedText Apply(AlignedText text)
    {
        int start = 0, end = text.Text.Length;
        while (left && start < end && char.IsWhiteSpace(text.Text[start]))
            start++;
        while (right && end > start && char.IsWhiteSpace(text.Text[end - 1]))
            end--;
        return text.Slice(start, end);
    }
}

/// <summary>A text in front of whatever is not empty; it stands for the first character.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    public override double Growth => 1 + prefix.Length;

    public override AlignedText Apply(AlignedText text) => Prepend(text, prefix);

    public static AlignedText Prepend(AlignedText text, string prefix)
    {
        if (text.Text.Length == 0)
            return text;
        var made = new AlignedBuilder(text, text.Text.Length + prefix.Length);
        made.Add(prefix, 0);
        made.Copy(0, text.Text.Length);
        return made.Build();
    }
}

/// <summary>Another text for each match of a pattern; it stands for the last character that was matched.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : Normalizer
{
    public override double Growth => pattern.Growth(content);

    public override AlignedText Apply(AlignedText text)
    {
        List<Match> matches = [];
        pattern.Find(text.Text, matches);
        if (matches.Count == 0)
            return text;
        var made = new AlignedBuilder(text, text.Text.Length);
        var copied = 0;
        foreach (var (start, end) in matches)
        {
            made.Copy(copied, start);
            made.Add(content, end - 1);
            copied = end;
        }

        made.Copy(copied, text.Text.Length);
        return made.Build();
    }
}

/// <summary>Every byte of UTF-8 as its letter.</summary>
internal sealed class ByteLevelNormalizer : Normalizer
{
    public override double Growth => 3;

    public override AlignedText Apply(AlignedText text)
    {
        var made = new AlignedBuilder(text, text.Text.Length * 2);
        ByteLetters.Spell(text, 0, text.Text.Length, made);
        return made.Build();
    }
}

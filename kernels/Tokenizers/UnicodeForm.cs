using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>
/// NFC, NFD, NFKC or NFKD (Unicode Standard Annex 15). A composed character stands for the first of its parts only, parts of a decomposed one all for the whole: so the
/// reference implementation aligns them.
/// </summary>
internal sealed class UnicodeForm(bool compatible, bool composes) : Normalizer
{
    // Characters below this are in the form already, whatever follows them: marks begin at U+0300, compatibility characters at U+00A0, decomposable ones at U+00C0.
    private readonly char _stable = composes && !compatible ? '\u0300' : compatible ? '\u00A0' : '\u00C0';

    // The longest decompositions are those of U+1F82 and others, and of U+FDFA.
    public override double Growth => compatible ? 18 : 4;

    public override AlignedText Apply(AlignedText text)
    {
        if (!text.Text.AsSpan().ContainsAnyInRange(_stable, '\uFFFF'))
            return text;
        var parts = Decompose(text.Text);
        if (composes)
            parts = Compose(parts);
        return Align(text, parts);
    }

    private List<Part> Decompose(string text)
    {
        List<Part> parts = new(text.Length);
        Span<int> three = stackalloc int[3];
        var pending = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            var codes = rune.Value < _stable && rune.Value < 0xC0 ? [] : NormalizationData.Decompose(rune.Value, compatible, three);
            if (codes.IsEmpty)
                Push(rune.Value, 0);
            for (var i = 0; i < codes.Length; i++)
                Push(codes[i], i == 0 ? 0 : 1);
        }

        Sort(parts, pending);
        return parts;

        // Marks are put in the order of their classes between one starter and the next.
        void Push(int code, int change)
        {
            var order = NormalizationData.Class(code);
            if (order == 0)
            {
                Sort(parts, pending);
                pending = parts.Count + 1;
            }

            parts.Add(new(code, order, change));
        }
    }

    private static void Sort(List<Part> parts, int from)
    {
        if (parts.Count - from < 2)
            return;
        var sorted = parts.GetRange(from, parts.Count - from).OrderBy(p => p.Class).ToList();
        for (var i = 0; i < sorted.Count; i++)
            parts[from + i] = sorted[i];
    }

    private static List<Part> Compose(List<Part> parts)
    {
        List<Part> composed = new(parts.Count);
        var starter = -1;
        var last = 0;
        foreach (var part in parts)
        {
            if (starter >= 0)
            {
                // A mark reaches its starter unless one of the same class or a higher one, or another starter, stands between them.
                var blocked = composed.Count > starter + 1 && last >= part.Class;
                var composite = blocked ? -1 : NormalizationData.Compose(composed[starter].Code, part.Code);
                if (composite >= 0)
                {
                    composed[starter] = composed[starter] with { Code = composite, Change = composed[starter].Change + part.Change - 1 };
                    continue;
                }
            }

            if (part.Class == 0)
                starter = composed.Count;
            last = part.Class;
            composed.Add(part);
        }

        return composed;
    }

    /// <summary>
    /// A change of 0 replaces one character, of 1 adds one after the character before, of -n replaces one and drops the n that follow. Marks carry their change along when they are
    /// sorted, so this is bookkeeping by count, not by origin.
    /// </summary>
    public static AlignedText Align(AlignedText text, List<Part> parts)
    {
        var made = new AlignedBuilder(text, text.Text.Length);
        Span<char> units = stackalloc char[2];
        var at = 0;
        foreach (var (code, _, change) in parts)
        {
            var count = new Rune(code).EncodeToUtf16(units);
            made.Add(units[..count], change > 0 ? at - 1 : Math.Min(at, text.Text.Length - 1));
            for (var skip = change > 0 ? 0 : 1 - change; skip > 0 && at < text.Text.Length; skip--)
                at += char.IsHighSurrogate(text.Text[at]) ? 2 : 1;
        }

        return made.Build();
    }

    /// <summary>A character on its way, with its combining class and what it does to the count of characters.</summary>
    internal readonly record struct Part(int Code, int Class, int Change);
}

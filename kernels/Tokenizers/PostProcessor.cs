using System.Collections.Immutable;
using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>What comes after the model: offsets without white space, and special tokens around the sequence.</summary>
internal sealed record PostProcessor
{
    /// <summary>The sequence alone.</summary>
    public static PostProcessor None { get; } = new();

    /// <summary>Parts in order: a special token, or the sequence where <see cref="Part.Id"/> is -1.</summary>
    public ImmutableArray<Part> Template { get; init; } = [Part.Sequence];

    /// <summary>Whether ranges leave out white space at the ends of tokens.</summary>
    public bool TrimsOffsets { get; init; }

    /// <summary>Whether a space in front of the text may be one that was added, and so covers nothing.</summary>
    public bool AddsSpace { get; init; }

    /// <summary>One token of a template.</summary>
    public readonly record struct Part(int Id, string Token)
    {
        public static Part Sequence { get; } = new(-1, "");
    }

    /// <summary>A beginning and an end around the sequence, each where wanted.</summary>
    public static PostProcessor Around(Part? beginning, Part? end)
    {
        List<Part> parts = [Part.Sequence];
        if (beginning is { } first)
            parts.Insert(0, first);
        if (end is { } last)
            parts.Add(last);
        return new() { Template = [.. parts] };
    }

    /// <summary>The ids of a whole text.</summary>
    public int[] Apply(List<int> sequence, bool addsSpecial)
    {
        List<int> ids = new(sequence.Count + Template.Length);
        foreach (var part in Template)
        {
            if (part.Id < 0)
                ids.AddRange(sequence);
            else if (addsSpecial)
                ids.Add(part.Id);
        }

        return [.. ids];
    }

    /// <summary>The tokens of a whole text with their ranges; those of special tokens are empty.</summary>
    public TokenEncoding Apply(List<int> ids, List<string> tokens, List<(int Start, int End)> offsets, bool addsSpecial)
    {
        if (TrimsOffsets)
            Trim(tokens, offsets);
        List<int> allIds = [];
        List<string> allTokens = [];
        List<(int, int)> allOffsets = [];
        foreach (var part in Template)
        {
            if (part.Id < 0)
            {
                allIds.AddRange(ids);
                allTokens.AddRange(tokens);
                allOffsets.AddRange(offsets);
            }
            else if (addsSpecial)
            {
                allIds.Add(part.Id);
                allTokens.Add(part.Token);
                allOffsets.Add((0, 0));
            }
        }

        return new([.. allIds], [.. allTokens], [.. allOffsets]);
    }

    private void Trim(List<string> tokens, List<(int Start, int End)> offsets)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            var (start, end) = offsets[i];
            var leading = tokens[i].EnumerateRunes().TakeWhile(IsSpace).Count();
            var trailing = tokens[i].EnumerateRunes().Reverse().TakeWhile(IsSpace).Count();
            // One space at the very beginning is taken for the one that was added: it covers nothing of the text.
            if (AddsSpace && leading == 1 && (i == 0 || start == 0))
                leading = 0;
            if (leading > 0)
                start = Math.Min(start + leading, end);
            if (trailing > 0 && end >= trailing)
                end = Math.Max(end - trailing, start);
            offsets[i] = (start, end);
        }
    }

    private static bool IsSpace(Rune rune) => rune.Value == ByteLetters.Space || Rune.IsWhiteSpace(rune);
}

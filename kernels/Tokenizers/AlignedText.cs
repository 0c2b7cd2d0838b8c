using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>
/// A stretch of the input on its way to tokens: what normalizers and pre-tokenizers have made of it and, where offsets are asked for, the range of code points of
/// the input that each UTF-16 code unit stands for.
/// </summary>
internal sealed class AlignedText(string text, int[]? starts, int[]? ends, int origin)
{
    public string Text => text;

    /// <summary>For each code unit where its range starts, in code points of the input; null where nobody asks.</summary>
    public int[]? Starts => starts;

    /// <summary>For each code unit where its range ends.</summary>
    public int[]? Ends => ends;

    /// <summary>Code points of the input before this stretch: where something stands that comes from no character.</summary>
    public int Origin => origin;

    public bool Tracks => starts is not null;

    /// <summary>A stretch as it stands in the input, <paramref name="origin"/> code points after its beginning.</summary>
    public static AlignedText Of(string text, int origin, bool tracks)
    {
        if (!tracks)
            return new(text, null, null, origin);
        var starts = new int[text.Length];
        var ends = new int[text.Length];
        var point = origin;
        for (var i = 0; i < text.Length; i++)
        {
            starts[i] = point;
            ends[i] = point + 1;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length)
            {
                i++;
                starts[i] = point;
                ends[i] = point + 1;
            }

            point++;
        }

        return new(text, starts, ends, origin);
    }

    /// <summary>The range of the input that the code units from <paramref name="start"/> to <paramref name="end"/> stand for.</summary>
    public (int Start, int End) Range(int start, int end) =>
        starts is null || ends is null ? default : start < end ? (starts[start], ends[end - 1]) : start > 0 ? (ends[start - 1], ends[start - 1]) : (origin, origin);

    /// <summary>The code units from <paramref name="start"/> to <paramref name="end"/> as a stretch of their own.</summary>
    public AlignedText Slice(int start, int end) =>
        start == 0 && end == text.Length ? this : new(text[start..end], starts?[start..end], ends?[start..end], Range(start, end).Start);
}

/// <summary>Makes an <see cref="AlignedText"/> from another, character by character.</summary>
internal sealed class AlignedBuilder
{
    private readonly AlignedText _source;
    private readonly StringBuilder _text;
    private readonly List<int>? _starts;
    private readonly List<int>? _ends;

    public AlignedBuilder(AlignedText source, int capacity)
    {
        _source = source;
        _text = new(capacity);
        if (source.Tracks)
            (_starts, _ends) = (new(capacity), new(capacity));
    }

    public int Length => _text.Length;

    /// <summary>Code units of the source as they are.</summary>
    public void Copy(int start, int end)
    {
        _text.Append(_source.Text, start, end - start);
        _starts?.AddRange(_source.Starts.AsSpan(start..end));
        _ends?.AddRange(_source.Ends.AsSpan(start..end));
    }

    /// <summary>A code unit that stands for what the source has at <paramref name="at"/>; for nothing where that is before the source.</summary>
    public void Add(char unit, int at)
    {
        _text.Append(unit);
        _starts?.Add(at < 0 ? _source.Origin : _source.Starts![at]);
        _ends?.Add(at < 0 ? _source.Origin : _source.Ends![at]);
    }

    /// <summary>Code units that all stand for what the source has at <paramref name="at"/>.</summary>
    public void Add(ReadOnlySpan<char> units, int at)
    {
        foreach (var unit in units)
            Add(unit, at);
    }

    public AlignedText Build() => new(_text.ToString(), _starts?.ToArray(), _ends?.ToArray(), _source.Origin);
}

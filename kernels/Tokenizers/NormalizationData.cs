using System.Collections.Frozen;
using System.Globalization;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>
/// Decompositions, compositions and combining classes, from Data/normalization.txt. The runtime's own are not there: with invariant globalization
/// <see cref="string.Normalize()"/> leaves every text as it is.
/// </summary>
internal static class NormalizationData
{
    private const int SyllableBase = 0xAC00;
    private const int LeadBase = 0x1100;
    private const int VowelBase = 0x1161;
    private const int TailBase = 0x11A7;
    private const int Leads = 19;
    private const int Vowels = 21;
    private const int Tails = 28;

    private static readonly FrozenDictionary<int, int[]> Canonical;
    private static readonly FrozenDictionary<int, int[]> Compatible;
    private static readonly FrozenDictionary<int, byte> Classes;
    private static readonly FrozenDictionary<long, int> Compositions;
    private static readonly FrozenSet<int> Marks;
    private static readonly FrozenSet<int> Punctuation;

    static NormalizationData()
    {
        Dictionary<int, (int[] Codes, bool Compatible)> steps = [];
        Dictionary<int, byte> classes = [];
        Dictionary<long, int> compositions = [];
        HashSet<int> marks = [], punctuation = [];
        foreach (var line in Lines())
        {
            var at = line.AsSpan().IndexOfAny("=!~:");
            var codes = line[(at + 1)..];
            if (line[at] is ':')
            {
                var dash = line.IndexOf('-', StringComparison.Ordinal);
                for (var code = Code(line[..dash]); code <= Code(line[(dash + 1)..at]); code++)
                {
                    if (codes is "M" or "P")
                        (codes is "M" ? marks : punctuation).Add(code);
                    else
                        classes[code] = byte.Parse(codes, CultureInfo.InvariantCulture);
                }

                continue;
            }

            var parts = codes.Split(' ').Select(Code).ToArray();
            steps[Code(line[..at])] = (parts, line[at] is '~');
            if (line[at] is '=')
                compositions[Pair(parts[0], parts[1])] = Code(line[..at]);
        }

        Canonical = steps.Where(s => !s.Value.Compatible).ToFrozenDictionary(s => s.Key, s => Expand(s.Key, false).ToArray());
        Compatible = steps.ToFrozenDictionary(s => s.Key, s => Expand(s.Key, true).ToArray());
        Classes = classes.ToFrozenDictionary();
        Compositions = compositions.ToFrozenDictionary();
        Marks = marks.ToFrozenSet();
        Punctuation = punctuation.ToFrozenSet();

        IEnumerable<int> Expand(int code, bool compatible) =>
            steps.TryGetValue(code, out var step) && (compatible || !step.Compatible) ? step.Codes.SelectMany(c => Expand(c, compatible)) : [code];
    }

    /// <summary>The canonical combining class.</summary>
    public static byte Class(int code) => code < 0x300 ? (byte)0 : Classes.GetValueOrDefault(code);

    /// <summary>Whether it is a combining mark of any kind.</summary>
    public static bool IsMark(int code) => code >= 0x300 && Marks.Contains(code);

    /// <summary>Whether it is punctuation of any kind, beyond ASCII.</summary>
    public static bool IsPunctuation(int code) => Punctuation.Contains(code);

    /// <summary>The full decomposition, in <paramref name="three"/> where it is computed; empty where the character is its own.</summary>
    public static ReadOnlySpan<int> Decompose(int code, bool compatible, Span<int> three)
    {
        var syllable = code - SyllableBase;
        if (syllable is >= 0 and < Leads * Vowels * Tails)
        {
            three[0] = LeadBase + syllable / (Vowels * Tails);
            three[1] = VowelBase + syllable % (Vowels * Tails) / Tails;
            three[2] = TailBase + syllable % Tails;
            return three[..(syllable % Tails is 0 ? 2 : 3)];
        }

        return (compatible ? Compatible : Canonical).TryGetValue(code, out var codes) ? codes : [];
    }

    /// <summary>The primary composite of two characters; -1 where there is none.</summary>
    public static int Compose(int first, int second)
    {
        if (first is >= LeadBase and < LeadBase + Leads && second is >= VowelBase and < VowelBase + Vowels)
            return SyllableBase + ((first - LeadBase) * Vowels + second - VowelBase) * Tails;
        var syllable = first - SyllableBase;
        if (syllable is >= 0 and < Leads * Vowels * Tails && syllable % Tails is 0 && second is > TailBase and < TailBase + Tails)
            return first + second - TailBase;
        return Compositions.GetValueOrDefault(Pair(first, second), -1);
    }

    private static long Pair(int first, int second) => ((long)first << 32) | (uint)second;

    private static int Code(string hex) => int.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static IEnumerable<string> Lines()
    {
        using var stream = typeof(NormalizationData).Assembly.GetManifestResourceStream("Marketplace.Kernels.Tokenizers.normalization.txt")!;
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
            if (!line.StartsWith('#'))
                yield return line;
    }
}

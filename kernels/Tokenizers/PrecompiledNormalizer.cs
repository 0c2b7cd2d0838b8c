using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>
/// SentencePiece's compiled character map: the length of a double-array trie in bytes, the trie in 32-bit units, and the replacements, each ended by a zero. Short grapheme clusters are looked up
/// whole, longer ones and those without an entry character by character; a lookup takes the shortest entry that begins the text, as the reference does.
/// </summary>
internal sealed class PrecompiledNormalizer : Normalizer
{
    private const int LongestCluster = 5;

    private readonly uint[] _trie;
    private readonly byte[] _replacements;

    private PrecompiledNormalizer(uint[] trie, byte[] replacements) => (_trie, _replacements) = (trie, replacements);

    /// <summary>Reads the map; null where it is none.</summary>
    public static PrecompiledNormalizer? TryCreate(ReadOnlySpan<byte> map)
    {
        if (map.Length < 8)
            return null;
        var length = BinaryPrimitives.ReadUInt32LittleEndian(map);
        if (length % 4 != 0 || length == 0 || length > map.Length - 4)
            return null;
        var trie = new uint[length / 4];
        for (var i = 0; i < trie.Length; i++)
            trie[i] = BinaryPrimitives.ReadUInt32LittleEndian(map[(4 + i * 4)..]);
        var replacements = map[(4 + (int)length)..].ToArray();
        return System.Text.Unicode.Utf8.IsValid(replacements) ? new(trie, replacements) : null;
    }

    public override double Growth => 1 + Encoding.UTF8.GetString(_replacements).Split('\0').Max(r => r.Length);

    public override AlignedText Apply(AlignedText text)
    {
        List<UnicodeForm.Part> parts = new(text.Text.Length);
        var modified = false;
        for (var i = 0; i < text.Text.Length;)
        {
            var cluster = text.Text.AsSpan(i, StringInfo.GetNextTextElementLength(text.Text, i));
            i += cluster.Length;
            if (Encoding.UTF8.GetByteCount(cluster) <= LongestCluster && Find(cluster) is { } whole)
            {
                Replace(cluster, whole, parts);
                modified = true;
                continue;
            }

            while (!cluster.IsEmpty)
            {
                Rune.DecodeFromUtf16(cluster, out var rune, out var length);
                if (Find(cluster[..length]) is { } single)
                {
                    Replace(cluster[..length], single, parts);
                    modified = true;
                }
                else
                    parts.Add(new(rune.Value, 0, 0));
                cluster = cluster[length..];
            }
        }

        return modified ? UnicodeForm.Align(text, parts) : text;
    }

    // Characters replace characters one by one; more of them are additions, missing ones are dropped behind the last that was written.
    private static void Replace(ReadOnlySpan<char> old, string made, List<UnicodeForm.Part> parts)
    {
        var surplus = -Count(old);
        foreach (var rune in made.EnumerateRunes())
            parts.Add(new(rune.Value, 0, ++surplus > 0 ? 1 : 0));
        if (surplus < 0 && parts.Count > 0)
            parts[^1] = parts[^1] with { Change = parts[^1].Change + surplus };

        static int Count(ReadOnlySpan<char> text)
        {
            var count = 0;
            foreach (var unit in text)
                if (!char.IsLowSurrogate(unit))
                    count++;
            return count;
        }
    }

    private string? Find(ReadOnlySpan<char> text)
    {
        Span<byte> key = stackalloc byte[Encoding.UTF8.GetMaxByteCount(LongestCluster)];
        key = key[..Encoding.UTF8.GetBytes(text, key)];
        var node = Offset(_trie[0]);
        foreach (var label in key)
        {
            node ^= label;
            if (label == 0 || node >= _trie.Length)
                return null;
            var unit = _trie[node];
            if ((unit & 0x800000FF) != label)
                return null;
            node ^= Offset(unit);
            if ((unit >> 8 & 1) == 1)
                return node < _trie.Length ? At(_trie[node] & 0x7FFFFFFF) : null;
        }

        return null;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & (1u << 9)) >> 6);

    private string? At(uint index)
    {
        if (index > _replacements.Length)
            return null;
        var rest = _replacements.AsSpan((int)index);
        var end = rest.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? rest : rest[..end]);
    }
}

using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Marketplace.Core.Analysis;

/// <summary>Whose sketch it is: ΔW follows from both files, the scaling being in the configuration.</summary>
/// <param name="Config">Digest of the configuration.</param>
/// <param name="Weights">Digest of the weights.</param>
public readonly record struct SketchKey(Digest Config, Digest Weights);

/// <summary>
/// The sketches of a library in one piece, so that a process which has none yet reads one file instead of one for each adapter. Layout, little-endian: a magic word with the
/// version, the length of a sketch and the number of entries (16 bytes); entries of digests (64 bytes), shape (16), two norms (16), the length of the second sketch (8) and
/// two sketches of float32; SHA-256 of all of it.
/// </summary>
public static class SketchPack
{
    private const ulong Magic = 0x31_50_4B_53_54_4B_4D; // MKTSKP1
    private const int Header = 16;
    private const int Sketch = AdapterSketch.Size * sizeof(float);
    private const int Entry = 104 + (2 * Sketch);
    private const int Checksum = 32;

    /// <summary>Bytes that an entry takes, in a file and about as many in memory.</summary>
    public static int EntryBytes => Entry;

    /// <summary>The most entries that a pack can have.</summary>
    public static int MaxEntries => (Array.MaxLength - Header - Checksum) / Entry;

    /// <summary>Writes a pack; entries in the order of their keys' digits, so that equal sets give equal bytes.</summary>
    /// <exception cref="ArgumentException">There are more than an array holds.</exception>
    public static byte[] Write(IReadOnlyDictionary<SketchKey, AdapterSketch> sketches)
    {
        if (sketches.Count > MaxEntries)
            throw new ArgumentException($"{sketches.Count} sketches are too many for one pack.", nameof(sketches));
        var bytes = GC.AllocateUninitializedArray<byte>(Header + (sketches.Count * Entry) + Checksum);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), AdapterSketch.Size);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), sketches.Count);
        var at = Header;
        foreach (var (key, sketch) in sketches.OrderBy(s => s.Key.Weights.Hex, StringComparer.Ordinal).ThenBy(s => s.Key.Config.Hex, StringComparer.Ordinal))
        {
            WriteEntry(bytes.AsSpan(at, Entry), key, sketch);
            at += Entry;
        }

        SHA256.HashData(bytes.AsSpan(0, at), bytes.AsSpan(at));
        return bytes;
    }

    /// <summary>Reads a pack; null if the bytes are another version's, cut off, or not what was written.</summary>
    public static Dictionary<SketchKey, AdapterSketch>? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < Header + Checksum || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Magic || BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]) != AdapterSketch.Size)
            return null;
        var count = BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]);
        if (count < 0 || Header + ((long)count * Entry) + Checksum != bytes.Length)
            return null;
        if (!SHA256.HashData(bytes[..^Checksum]).AsSpan().SequenceEqual(bytes[^Checksum..]))
            return null;
        var result = new Dictionary<SketchKey, AdapterSketch>(count);
        for (var i = 0; i < count; i++)
            ReadEntry(bytes.Slice(Header + (i * Entry), Entry), result);
        return result;
    }

    private static void WriteEntry(Span<byte> entry, SketchKey key, AdapterSketch sketch)
    {
        entry.Clear();
        Convert.FromHexString(key.Config.Hex, entry, out _, out _);
        Convert.FromHexString(key.Weights.Hex, entry[32..], out _, out _);
        Convert.FromHexString(sketch.Shape, entry[64..], out _, out _);
        BinaryPrimitives.WriteDoubleLittleEndian(entry[80..], sketch.Norm);
        BinaryPrimitives.WriteDoubleLittleEndian(entry[88..], sketch.FlatNorm);
        BinaryPrimitives.WriteInt64LittleEndian(entry[96..], sketch.FlatAb.Length);
        MemoryMarshal.AsBytes(sketch.Delta.AsSpan()).CopyTo(entry[104..]);
        MemoryMarshal.AsBytes(sketch.FlatAb.AsSpan()).CopyTo(entry[(104 + Sketch)..]);
    }

    private static void ReadEntry(ReadOnlySpan<byte> entry, Dictionary<SketchKey, AdapterSketch> result)
    {
        var key = new SketchKey(Digest.FromHash(entry[..32]), Digest.FromHash(entry[32..64]));
        var flat = BinaryPrimitives.ReadInt64LittleEndian(entry[96..]) == 0 ? ImmutableArray<float>.Empty : Numbers(entry[(104 + Sketch)..]);
        result[key] = new AdapterSketch(
            Numbers(entry.Slice(104, Sketch)), BinaryPrimitives.ReadDoubleLittleEndian(entry[80..]), flat, BinaryPrimitives.ReadDoubleLittleEndian(entry[88..]),
            Convert.ToHexStringLower(entry[64..80]));
    }

    private static ImmutableArray<float> Numbers(ReadOnlySpan<byte> bytes) => ImmutableCollectionsMarshal.AsImmutableArray(MemoryMarshal.Cast<byte, float>(bytes).ToArray());
}

using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using System.Text;

namespace Marketplace.Core.Algebra;

/// <summary>
/// Philox4x32-10 (Salmon et al., SC 2011): a counter-based generator of random numbers that are the same on every machine and in
/// every version of the runtime. Each use draws from a stream of its own, named by a seed and a text, so that no result depends on
/// the order in which things are processed.
/// </summary>
public sealed class Philox
{
    private readonly uint[] block = new uint[4];
    private readonly uint key0;
    private readonly uint key1;
    private ulong counter;
    private int used = 4;

    /// <summary>A stream.</summary>
    /// <param name="seed">The user's seed.</param>
    /// <param name="stream">What the numbers are for, such as a method and the name of a tensor.</param>
    public Philox(ulong seed, string stream)
    {
        (key0, key1) = Keys(seed, stream);
    }

    /// <summary>
    /// Words of a stream at any place: fills <paramref name="words"/> with what <see cref="NextUInt32"/> gives from its call number
    /// <paramref name="firstWord"/> on, counted from 0. So the word that belongs to an entry of a tensor depends on the entry's index alone, and tiles may be
    /// filled in any order.
    /// </summary>
    /// <param name="seed">The user's seed.</param>
    /// <param name="stream">What the numbers are for.</param>
    /// <param name="firstWord">Number of the first word.</param>
    /// <param name="words">Where the words go.</param>
    public static void Fill(ulong seed, string stream, long firstWord, Span<uint> words)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstWord);
        var (key0, key1) = Keys(seed, stream);
        Span<uint> block = stackalloc uint[4];
        var counter = (ulong)firstWord / 4;
        var skip = (int)(firstWord % 4);
        for (var i = 0; i < words.Length; counter++, skip = 0)
        {
            if (Avx2.IsSupported && skip == 0)
            {
                var blocks = FillFourAtATime(counter, key0, key1, words[i..]);
                (counter, i) = (counter + (ulong)blocks, i + (4 * blocks));
                if (i == words.Length)
                    return;
            }

            (block[0], block[1], block[2], block[3]) = ((uint)counter, (uint)(counter >> 32), 0, 0);
            Encrypt(block, key0, key1);
            var used = Math.Min(4 - skip, words.Length - i);
            block.Slice(skip, used).CopyTo(words[i..]);
            i += used;
        }
    }

    // Four counters side by side: each lane of 64 bits holds one of their words in its lower half, and what the products leave in the upper half is never
    // multiplied. Returns how many blocks of four words it has written.
    private static int FillFourAtATime(ulong counter, uint key0, uint key1, Span<uint> words)
    {
        var (factor0, factor1) = (Vector256.Create(0xD2511F53UL).AsUInt32(), Vector256.Create(0xCD9E8D57UL).AsUInt32());
        Span<ulong> lanes = stackalloc ulong[16];
        var written = 0;
        for (; words.Length - (4 * written) >= 16; written += 4)
        {
            var first = counter + (ulong)written;
            var c0 = Vector256.Create(first, first + 1, first + 2, first + 3);
            var (c1, c2, c3) = (c0 >>> 32, Vector256<ulong>.Zero, Vector256<ulong>.Zero);
            var (k0, k1) = (key0, key1);
            for (var round = 0; round < 10; round++)
            {
                var (product0, product1) = (Avx2.Multiply(c0.AsUInt32(), factor0), Avx2.Multiply(c2.AsUInt32(), factor1));
                (c0, c1, c2, c3) = ((product1 >>> 32) ^ c1 ^ Vector256.Create((ulong)k0), product1, (product0 >>> 32) ^ c3 ^ Vector256.Create((ulong)k1), product0);
                (k0, k1) = (k0 + 0x9E3779B9, k1 + 0xBB67AE85);
            }

            c0.CopyTo(lanes);
            c1.CopyTo(lanes[4..]);
            c2.CopyTo(lanes[8..]);
            c3.CopyTo(lanes[12..]);
            var target = words.Slice(4 * written, 16);
            for (var block = 0; block < 4; block++)
                for (var word = 0; word < 4; word++)
                    target[(4 * block) + word] = (uint)lanes[(4 * word) + block];
        }

        return written;
    }

    /// <summary>32 random bits.</summary>
    public uint NextUInt32()
    {
        if (used == 4)
        {
            (block[0], block[1], block[2], block[3]) = ((uint)counter, (uint)(counter >> 32), 0, 0);
            Encrypt(block, key0, key1);
            counter++;
            used = 0;
        }
        return block[used++];
    }

    /// <summary>A number in [0, 1) with 53 random bits.</summary>
    public double NextDouble()
    {
        ulong high = NextUInt32(), low = NextUInt32();
        return (((high << 32) | low) >> 11) * (1.0 / (1UL << 53));
    }

    /// <summary>A number in 0 … <paramref name="count"/> − 1.</summary>
    public int NextIndex(int count) => (int)(NextDouble() * count);

    private static (uint Key0, uint Key1) Keys(ulong seed, string stream)
    {
        var text = Encoding.UTF8.GetBytes(stream);
        var input = new byte[8 + text.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(input, seed);
        text.CopyTo(input, 8);
        var hash = SHA256.HashData(input);
        return (BinaryPrimitives.ReadUInt32LittleEndian(hash), BinaryPrimitives.ReadUInt32LittleEndian(hash.AsSpan(4)));
    }

    /// <summary>The ten rounds: turns a counter of four words into four random words, in place.</summary>
    internal static void Encrypt(Span<uint> c, uint key0, uint key1)
    {
        for (var round = 0; round < 10; round++)
        {
            var (product0, product1) = (0xD2511F53UL * c[0], 0xCD9E8D57UL * c[2]);
            (c[0], c[1], c[2], c[3]) =
                ((uint)(product1 >> 32) ^ c[1] ^ key0, (uint)product1, (uint)(product0 >> 32) ^ c[3] ^ key1, (uint)product0);
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }
    }
}

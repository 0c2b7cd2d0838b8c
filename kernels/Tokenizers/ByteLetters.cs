using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>
/// The letters that byte-level vocabularies are written in: one for each byte. Bytes that print as Latin-1 are their own letters; the 68 others follow one another from U+0100.
/// </summary>
internal static class ByteLetters
{
    private static readonly char[] Letters = Make();
    private static readonly short[] Bytes = Inverse();

    /// <summary>The letter of a space.</summary>
    public static char Space => Letters[' '];

    /// <summary>The letter of a byte.</summary>
    public static char Of(byte value) => Letters[value];

    /// <summary>The byte of a letter; -1 where it is none.</summary>
    public static int ByteOf(char letter) => letter < Bytes.Length ? Bytes[letter] : -1;

    /// <summary>The UTF-8 bytes of the code units from <paramref name="start"/> to <paramref name="end"/> as letters, each aligned with its whole character.</summary>
    public static void Spell(AlignedText text, int start, int end, AlignedBuilder into)
    {
        Span<byte> bytes = stackalloc byte[4];
        for (var i = start; i < end;)
        {
            var unit = text.Text[i];
            if (unit < 0x80)
            {
                into.Add(Letters[unit], i++);
                continue;
            }

            Rune.DecodeFromUtf16(text.Text.AsSpan(i, end - i), out var rune, out var length);
            var count = rune.EncodeToUtf8(bytes);
            foreach (var value in bytes[..count])
                into.Add(Letters[value], i);
            i += length;
        }
    }

    private static char[] Make()
    {
        var letters = new char[256];
        var next = (char)256;
        for (var value = 0; value < 256; value++)
            letters[value] = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)value : next++;
        return letters;
    }

    private static short[] Inverse()
    {
        var bytes = new short[Letters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (var value = 0; value < 256; value++)
            bytes[Letters[value]] = (short)value;
        return bytes;
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Marketplace.Core.Formats;

/// <summary>
/// The element types of safetensors, in the order the reference library declares them (by alignment): its writer puts later ones first,
/// and so does ours. Names are the format's own.
/// </summary>
[SuppressMessage("Naming", "CA1720", Justification = "These are the names that the file format gives to its types.")]
public enum TensorType
{
    /// <summary>One byte per truth value.</summary>
    BOOL,

    /// <summary>Four bits: two values in a byte.</summary>
    F4,

    /// <summary>Six bits, 2 exponent and 3 mantissa bits.</summary>
    F6_E2M3,

    /// <summary>Six bits, 3 exponent and 2 mantissa bits.</summary>
    F6_E3M2,

    /// <summary>Unsigned byte.</summary>
    U8,

    /// <summary>Signed byte.</summary>
    I8,

    /// <summary>Eight bits, 5 exponent and 2 mantissa bits.</summary>
    F8_E5M2,

    /// <summary>Eight bits, 4 exponent and 3 mantissa bits.</summary>
    F8_E4M3,

    /// <summary>Eight exponent bits: a power of two, used as a scale.</summary>
    F8_E8M0,

    /// <summary>As <see cref="F8_E4M3"/> without infinities and negative zero.</summary>
    F8_E4M3FNUZ,

    /// <summary>As <see cref="F8_E5M2"/> without infinities and negative zero.</summary>
    F8_E5M2FNUZ,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Unsigned 16-bit integer.</summary>
    U16,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>The upper half of an IEEE single.</summary>
    BF16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Unsigned 32-bit integer.</summary>
    U32,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>Two singles: a complex number.</summary>
    C64,

    /// <summary>IEEE double precision.</summary>
    F64,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Unsigned 64-bit integer.</summary>
    U64,
}

/// <summary>What is known of each <see cref="TensorType"/>.</summary>
public static class TensorTypes
{
    private static readonly Dictionary<string, TensorType> ByName =
        Enum.GetValues<TensorType>().ToDictionary(t => t.ToString(), StringComparer.Ordinal);

    /// <summary>Bits of one element; below 8 for packed types.</summary>
    public static int Bits(this TensorType type) => type switch
    {
        TensorType.F4 => 4,
        TensorType.F6_E2M3 or TensorType.F6_E3M2 => 6,
        <= TensorType.F8_E5M2FNUZ => 8,
        <= TensorType.BF16 => 16,
        <= TensorType.F32 => 32,
        _ => 64,
    };

    /// <summary>Whether the type is one that LoRA factors are computed from and written in: F64, F32, F16 or BF16.</summary>
    public static bool IsFactorType(this TensorType type) =>
        type is TensorType.F64 or TensorType.F32 or TensorType.F16 or TensorType.BF16;

    /// <summary>The type of that name in a header, spelled exactly.</summary>
    public static bool TryParse(ReadOnlySpan<byte> name, out TensorType type)
    {
        type = default;
        return name.Length <= 16 && ByName.TryGetValue(Encoding.ASCII.GetString(name), out type);
    }
}

using System.Collections.Immutable;

namespace Marketplace.Core.Formats;

/// <summary>One tensor of a safetensors file, as its header describes it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Shape">Its dimensions; none for a scalar.</param>
/// <param name="Begin">First byte, counted from the start of the data area.</param>
/// <param name="End">One past the last byte, counted in the same way.</param>
public sealed record TensorInfo(string Name, TensorType Type, ImmutableArray<long> Shape, long Begin, long End)
{
    /// <summary>Bytes of its data.</summary>
    public long ByteLength => End - Begin;

    /// <summary>Number of its elements; a valid header guarantees that the product fits.</summary>
    public long ElementCount => Shape.Aggregate(1L, (product, dimension) => product * dimension);

    /// <summary>The shape as text, such as <c>[8, 768]</c>.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";

    /// <summary>Whether the shape is exactly that.</summary>
    public bool HasShape(params ReadOnlySpan<long> shape) => Shape.AsSpan().SequenceEqual(shape);
}

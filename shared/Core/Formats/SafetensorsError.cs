using System.Collections.Immutable;

namespace Marketplace.Core.Formats;

/// <summary>Why bytes are not a safetensors file; one case for each check.</summary>
public enum SafetensorsError
{
    /// <summary>Fewer than the 8 bytes that give the header's length.</summary>
    TooShort,

    /// <summary>The header's length is over the limit (100 MB in the reference library).</summary>
    HeaderTooLarge,

    /// <summary>The header's length reaches beyond the end of the file.</summary>
    HeaderBeyondFile,

    /// <summary>A string of the header is not UTF-8.</summary>
    InvalidUtf8,

    /// <summary>The header does not begin with <c>{</c>.</summary>
    InvalidStart,

    /// <summary>The header is not JSON, or more than spaces follow its object.</summary>
    InvalidJson,

    /// <summary>A name occurs twice: a tensor, a metadata key, or a member of an entry. Readers disagree on which one counts.</summary>
    DuplicateKey,

    /// <summary>An entry is not an object with exactly <c>dtype</c>, <c>shape</c> and <c>data_offsets</c>, each of its kind.</summary>
    InvalidEntry,

    /// <summary><c>__metadata__</c> is not an object of strings.</summary>
    InvalidMetadata,

    /// <summary>The element type has no known name.</summary>
    UnknownType,

    /// <summary>A dimension is not an integer from 0 to 2⁶³ − 1.</summary>
    InvalidShape,

    /// <summary>The product of the dimensions and the element size is more than 2⁶³ − 1.</summary>
    ShapeOverflow,

    /// <summary>The elements of a packed type do not fill whole bytes.</summary>
    MisalignedType,

    /// <summary>The offsets are not two integers with 0 ≤ begin ≤ end.</summary>
    InvalidOffsets,

    /// <summary>A tensor begins before the one before it ends.</summary>
    Overlap,

    /// <summary>Bytes between two tensors, or before the first, belong to none.</summary>
    Hole,

    /// <summary>The offsets span another number of bytes than shape and type need.</summary>
    SizeMismatch,

    /// <summary>A tensor ends beyond the end of the file.</summary>
    Truncated,

    /// <summary>Bytes after the last tensor belong to none.</summary>
    TrailingBytes,

    /// <summary>More tensors than our limit.</summary>
    TooManyTensors,

    /// <summary>A name longer than our limit.</summary>
    NameTooLong,

    /// <summary>More dimensions than our limit.</summary>
    TooManyDimensions,

    /// <summary>Metadata over our limit.</summary>
    MetadataTooLarge,
}

/// <summary>One finding about a safetensors header.</summary>
/// <param name="Error">The check that failed.</param>
/// <param name="Tensor">The tensor it concerns; null where it concerns the file.</param>
/// <param name="Message">What was found, for people.</param>
public sealed record SafetensorsProblem(SafetensorsError Error, string? Tensor, string Message);

/// <summary>Our own bounds on what a header may hold, beside those of the format.</summary>
/// <param name="HeaderBytes">Most bytes of JSON; the reference library's limit.</param>
/// <param name="Tensors">Most tensors.</param>
/// <param name="NameBytes">Most bytes of UTF-8 in a name.</param>
/// <param name="Dimensions">Most dimensions of a tensor.</param>
/// <param name="MetadataBytes">Most bytes of UTF-8 in all metadata together.</param>
public sealed record SafetensorsLimits(
    long HeaderBytes = 100_000_000, int Tensors = 100_000, int NameBytes = 1024, int Dimensions = 8, int MetadataBytes = 1 << 20)
{
    /// <summary>The limits used where none are given.</summary>
    public static SafetensorsLimits Default { get; } = new();
}

/// <summary>What parsing a header gave.</summary>
/// <param name="Header">The header; null if there are problems.</param>
/// <param name="Problems">Every problem that could be told apart, in the order found; structural ones end the search.</param>
public sealed record SafetensorsParse(SafetensorsHeader? Header, ImmutableArray<SafetensorsProblem> Problems);

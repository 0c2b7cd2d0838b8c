using System.Numerics;
using System.Text.Json.Serialization;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>Which orthogonal matrix stands behind a basis.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OrthogonalBasisKind>))]
public enum OrthogonalBasisKind
{
    /// <summary>The cosine transform of type II; for any size.</summary>
    [JsonStringEnumMemberName("dct")]
    Dct,

    /// <summary>The Hadamard matrix in natural order; for powers of two.</summary>
    [JsonStringEnumMemberName("hadamard")]
    Hadamard,
}

/// <summary>
/// An orthonormal basis of Rⁿ of which any vector can be computed alone, so that n = 14336 costs no more than what is used of it: vector j has the
/// entries dᵢ·Tᵢⱼ with random signs dᵢ. Signs and kind are all that there is to store.
/// </summary>
/// <remarks>
/// Tᵢⱼ = (−1)^|i ∧ j| ∕ √n (bits that i and j share), or √(2∕n)·cos(π(2i + 1)j ∕ 2n), √(1∕n) for j = 0. dᵢ is −1 where the lowest bit of the i-th number of the
/// <see cref="Philox"/> stream <c>orthogonal basis {name} {n}</c> is 1.
/// </remarks>
public sealed class OrthogonalBasis
{
    private readonly double[] signs;

    /// <summary>A basis.</summary>
    /// <param name="kind">Which matrix.</param>
    /// <param name="size">n.</param>
    /// <param name="seed">Seed of the signs.</param>
    /// <param name="name">What it is for, such as a module: bases of different names have different signs.</param>
    /// <exception cref="ArgumentException">A Hadamard matrix of a size that is no power of two.</exception>
    public OrthogonalBasis(OrthogonalBasisKind kind, int size, ulong seed, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        if (kind == OrthogonalBasisKind.Hadamard && !BitOperations.IsPow2(size))
            throw new ArgumentException($"There is no Hadamard matrix of size {size} here: it is no power of two.", nameof(size));
        Kind = kind;
        signs = new double[size];
        var random = new Philox(seed, $"orthogonal basis {name} {size}");
        for (var i = 0; i < size; i++)
            signs[i] = (random.NextUInt32() & 1) == 1 ? -1 : 1;
    }

    /// <summary>Which matrix.</summary>
    public OrthogonalBasisKind Kind { get; }

    /// <summary>n.</summary>
    public int Size => signs.Length;

    /// <summary>The kind that suits a size: Hadamard, whose entries all have one magnitude, where there is one.</summary>
    public static OrthogonalBasisKind KindFor(int size) => BitOperations.IsPow2(size) ? OrthogonalBasisKind.Hadamard : OrthogonalBasisKind.Dct;

    /// <summary>Computes vector j, 0 ≤ j &lt; n.</summary>
    public void Vector(int j, Span<double> target)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(j);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(j, Size);
        ArgumentOutOfRangeException.ThrowIfNotEqual(target.Length, Size);
        var scale = Math.Sqrt((Kind == OrthogonalBasisKind.Hadamard || j == 0 ? 1d : 2d) / Size);
        for (var i = 0; i < Size; i++)
            target[i] = scale * signs[i] * Entry(i, j);
    }

    // The angle is reduced in whole numbers first: cosines of large angles would cost the orthogonality its last digits.
    private double Entry(int i, int j) => Kind == OrthogonalBasisKind.Hadamard
        ? 1 - (2 * (BitOperations.PopCount((uint)(i & j)) & 1))
        : Math.Cos(Math.PI * (((2L * i) + 1) * j % (4L * Size)) / (2d * Size));
}

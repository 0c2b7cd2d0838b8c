using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Marketplace.Core.Methods;

/// <summary>
/// The part of a module's input space that belongs to one adapter (Orthogonal Adaptation, arXiv 2312.02432): training starts with the rows of
/// <see cref="LoraA"/> as factor A and keeps them. Everything needed to make them again is in here.
/// </summary>
/// <param name="Module">Name of the module.</param>
/// <param name="In">Its input size, n.</param>
/// <param name="Basis">Which orthogonal matrix.</param>
/// <param name="Seed">Seed of the basis.</param>
/// <param name="Columns">The basis vectors that belong to the adapter, as many as its rank.</param>
public sealed record Subspace(string Module, int In, OrthogonalBasisKind Basis, ulong Seed, ImmutableArray<int> Columns)
{
    /// <summary>A (r, n) with orthonormal rows: the basis vectors in the order of <see cref="Columns"/>.</summary>
    public Matrix LoraA()
    {
        var basis = new OrthogonalBasis(Basis, In, Seed, Module);
        var a = new Matrix(Columns.Length, In);
        for (var k = 0; k < Columns.Length; k++)
            basis.Vector(Columns[k], a.Row(k));
        return a;
    }

    /// <inheritdoc/>
    public bool Equals(Subspace? other) =>
        other is not null && (Module, In, Basis, Seed) == (other.Module, other.In, other.Basis, other.Seed) && Columns.SequenceEqual(other.Columns);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Module, In, Basis, Seed, Columns.Length);
}

/// <summary>
/// Gives away the vectors of a module's basis, each only once, so that the subspaces of any two adapters are orthogonal. A value: whoever keeps it sees to it
/// that of two that follow the same one only one is kept.
/// </summary>
/// <param name="Module">Name of the module.</param>
/// <param name="In">Its input size, n.</param>
/// <param name="Basis">Which orthogonal matrix.</param>
/// <param name="Seed">Seed of the basis.</param>
/// <param name="Used">How many vectors have been given away: the first ones.</param>
public sealed record SubspaceAllocator(string Module, int In, OrthogonalBasisKind Basis, ulong Seed, int Used = 0)
{
    /// <summary>Vectors that are left.</summary>
    public int Free => In - Used;

    /// <summary>An allocator that has given nothing away.</summary>
    public static SubspaceAllocator For(string module, int size, ulong seed) => new(module, size, OrthogonalBasis.KindFor(size), seed);

    /// <summary>How many more adapters of a rank there is room for; ⌊n ∕ r⌋ at first.</summary>
    public int Capacity(int rank) => Free / rank;

    /// <summary>Gives the next vectors away; false where fewer than <paramref name="rank"/> are left.</summary>
    /// <param name="rank">How many, at least 1.</param>
    /// <param name="subspace">What is given away.</param>
    /// <param name="next">The allocator from then on.</param>
    public bool TryAllocate(int rank, [NotNullWhen(true)] out Subspace? subspace, [NotNullWhen(true)] out SubspaceAllocator? next)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        var fits = rank <= Free;
        subspace = fits ? new(Module, In, Basis, Seed, [.. Enumerable.Range(Used, rank)]) : null;
        next = fits ? this with { Used = Used + rank } : null;
        return fits;
    }
}

using System.Collections.Immutable;

namespace Marketplace.Core.Merges;

/// <summary>Methods that work in a basis shared by the inputs.</summary>
public static class BasisMethods
{
    /// <summary>All of them.</summary>
    public static ImmutableArray<MergeMethod> All { get; } = [];
}

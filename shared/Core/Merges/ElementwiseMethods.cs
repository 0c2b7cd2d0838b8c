using System.Collections.Immutable;

namespace Marketplace.Core.Merges;

/// <summary>Methods that work on the entries of ΔW.</summary>
public static class ElementwiseMethods
{
    /// <summary>All of them.</summary>
    public static ImmutableArray<MergeMethod> All { get; } = [];
}

using System.Collections.Immutable;

namespace Marketplace.Core.Merges;

/// <summary>Methods that work on A and B apart, as some libraries do.</summary>
public static class FactorwiseMethods
{
    /// <summary>All of them.</summary>
    public static ImmutableArray<MergeMethod> All { get; } = [];
}

using System.Collections.Immutable;

namespace Marketplace.Core.Merges;

/// <summary>Methods whose coefficients follow from inner products of ΔW.</summary>
public static class SpanMethods
{
    /// <summary>All of them.</summary>
    public static ImmutableArray<MergeMethod> All { get; } = [];
}

using System.Collections.Immutable;
using Marketplace.Core.Merges.Basis;

namespace Marketplace.Core.Merges;

/// <summary>
/// Methods that work in a basis shared by the inputs. All start from each input's singular value decomposition, so that results don't depend on how ΔW is
/// factored; LEGO alone works on the factors as they are, unless told otherwise.
/// </summary>
public static class BasisMethods
{
    /// <summary>All of them.</summary>
    public static ImmutableArray<MergeMethod> All { get; } = [Knots.Method, CoreSpace.Method, Wudi.Method, Axis.Method, Lego.Method, OrthogonalSum.Method];
}

using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Methods;

/// <summary>
/// An adapter's routing direction at one module (Arrow): the unit vector v (in) that ΔW stretches most, its top right singular
/// vector, computed exactly. Its sign is canonical (largest entry positive) and means nothing.
/// </summary>
/// <param name="Module">The module's name.</param>
/// <param name="Direction">v; all zeros where ΔW = 0, which then takes no part in routing.</param>
/// <param name="S1">The largest singular value, |ΔW·v|.</param>
/// <param name="S2">The next one; 0 for rank 1.</param>
public sealed record Prototype(string Module, ImmutableArray<double> Direction, double S1, double S2)
{
    /// <summary>Whether ΔW = 0, so that there is no direction.</summary>
    public bool IsZero => S1 == 0;

    /// <summary>Whether the two largest singular values are so close (S₁ − S₂ &lt; 10⁻³·S₁) that the direction is arbitrary within their plane.</summary>
    public bool Degenerate => !IsZero && S1 - S2 < 1e-3 * S1;

    /// <summary>The prototype of one module.</summary>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    public static Prototype Of(string module, LowRankDelta delta) =>
        Of(module, LowRankSpectrum.Of(delta.B.Values, delta.A.Values, delta.Rank), delta.A.Values);

    internal static Prototype Of(string module, LowRankSpectrum spectrum, ReadOnlySpan<double> a) => new(
        module, ImmutableCollectionsMarshal.AsImmutableArray(spectrum.Direction(a)), spectrum.S1, spectrum.S1 > 0 && spectrum.S.Length > 1 ? spectrum.S[1] : 0);

    /// <summary>The prototypes of all modules of an adapter.</summary>
    /// <exception cref="NotFiniteNumberException">While enumerating: a factor holds NaN or infinity.</exception>
    public static IEnumerable<Prototype> Of(Adapter adapter) => adapter.Modules.Select(m => Of(m.Name, adapter.Delta(m.Name)!));
}

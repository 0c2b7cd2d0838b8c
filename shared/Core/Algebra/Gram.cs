namespace Marketplace.Core.Algebra;

/// <summary>
/// Inner products of whole adapters: Gᵢⱼ = Σ over modules ⟨ΔWᵢ, ΔWⱼ⟩, summed before anything is normalised. A module that an
/// adapter lacks counts as ΔW = 0.
/// </summary>
/// <param name="Inner">G, shape (n, n).</param>
/// <param name="MeanModuleCosine">
/// Another quantity: the cosine of each module on its own, averaged over all modules that any adapter has, shape (n, n).
/// </param>
public sealed record Gram(Matrix Inner, Matrix MeanModuleCosine)
{
    /// <summary>The global cosine Gᵢⱼ ∕ √(Gᵢᵢ Gⱼⱼ).</summary>
    public Matrix Cosine { get; } = Cosines(Inner);

    /// <summary>|ΔWᵢ| over all modules.</summary>
    public double Norm(int adapter) => Math.Sqrt(Inner[adapter, adapter]);

    /// <summary>The Gram matrix of adapters whose modules have equal shapes where they share a name.</summary>
    public static Gram Of(IReadOnlyList<Adapter> adapters)
    {
        var (inner, mean) = (new Matrix(adapters.Count, adapters.Count), new Matrix(adapters.Count, adapters.Count));
        var modules = adapters.SelectMany(a => a.Modules).Select(m => m.Name).Distinct().Order(StringComparer.Ordinal).ToList();
        foreach (var module in modules)
        {
            var products = OfModule(adapters, module);
            MatrixMath.AddScaled(products.Values, 1, inner.Values);
            MatrixMath.AddScaled(Cosines(products).Values, 1.0 / modules.Count, mean.Values);
        }
        return new(inner, mean);
    }

    /// <summary>Cosines from inner products: with a norm of zero the cosine is 0, and 1 on the diagonal.</summary>
    public static Matrix Cosines(Matrix inner)
    {
        var cosines = new Matrix(inner.Rows, inner.Columns);
        for (var i = 0; i < inner.Rows; i++)
            for (var j = 0; j < inner.Columns; j++)
            {
                var norms = Math.Sqrt(inner[i, i]) * Math.Sqrt(inner[j, j]);
                cosines[i, j] = i == j ? 1 : norms == 0 ? 0 : Math.Clamp(inner[i, j] / norms, -1, 1);
            }
        return cosines;
    }

    // Each entry is computed by one thread in a fixed order, so the bits do not depend on how many there are.
    private static Matrix OfModule(IReadOnlyList<Adapter> adapters, string module)
    {
        var deltas = new LowRankDelta?[adapters.Count];
        Parallel.For(0, adapters.Count, i => deltas[i] = adapters[i].Delta(module));
        var products = new Matrix(adapters.Count, adapters.Count);
        Parallel.For(0, adapters.Count, i =>
        {
            for (var j = 0; j <= i; j++)
            {
                if (deltas[i] is { } first && deltas[j] is { } second)
                    products[i, j] = products[j, i] = Deltas.Inner(first, second);
            }
        });
        return products;
    }
}

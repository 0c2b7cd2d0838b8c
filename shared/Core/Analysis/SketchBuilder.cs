using System.Numerics.Tensors;
using Marketplace.Core.Methods;

namespace Marketplace.Core.Analysis;

/// <summary>
/// Sketches an adapter module by module. The sparsified factors need a threshold over all modules, so they come last: <see cref="Add"/> for every module, once, by whoever is
/// looking at it anyway, then <see cref="Finish"/>, which reads the adapter twice more, without arithmetic.
/// </summary>
internal sealed class SketchBuilder
{
    private readonly Adapter adapter;
    private readonly FlatQuantile? quantile;
    private readonly double[] delta = new double[AdapterSketch.Size];
    private double squares;

    public SketchBuilder(Adapter adapter)
    {
        this.adapter = adapter;
        // A scaling of 0 hides B in the folded factors.
        if (adapter.Modules.All(m => m.Scaling != 0))
            quantile = new FlatQuantile(adapter, FlatFactors.DefaultSparsity);
    }

    /// <summary>Takes a module.</summary>
    /// <param name="module">Which.</param>
    /// <param name="factors">Its factors.</param>
    /// <param name="norm">|ΔW|.</param>
    public void Add(TargetModule module, FactorBuffer factors, double norm)
    {
        squares += norm * norm;
        SketchProjection.AddDelta(delta, module.Name, factors.B, factors.A, module.Rank);
        quantile?.Add(factors);
    }

    /// <summary>Completes the sketch.</summary>
    public AdapterSketch Finish(FactorBuffer factors)
    {
        var flat = new double[AdapterSketch.Size];
        var flatSquares = 0d;
        if (quantile is not null)
        {
            var threshold = quantile.Finish(factors);
            foreach (var module in adapter.Modules)
            {
                factors.Read(module);
                flatSquares += SketchProjection.AddFactor(flat, "A", module.Name, factors.A, threshold);
                flatSquares += SketchProjection.AddFactor(flat, "B", module.Name, factors.UnscaledB(), threshold);
            }
        }

        return new(
            Single(delta), Math.Sqrt(squares), quantile is null ? [] : Single(flat), Math.Sqrt(flatSquares), AdapterSketch.ShapeOf(adapter));
    }

    private static System.Collections.Immutable.ImmutableArray<float> Single(double[] values)
    {
        var result = new float[values.Length];
        TensorPrimitives.ConvertTruncating<double, float>(values, result);
        return System.Runtime.InteropServices.ImmutableCollectionsMarshal.AsImmutableArray(result);
    }
}

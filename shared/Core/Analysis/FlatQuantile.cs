using Marketplace.Core.Algebra;

namespace Marketplace.Core.Analysis;

/// <summary>A quantile of the magnitudes of all entries of A and B, unscaled, over a whole adapter: the first look at each module is the caller's, the rest are its own.</summary>
internal sealed class FlatQuantile(Adapter adapter, double q)
{
    private readonly MagnitudeQuantile quantile = new(adapter.Modules.Sum(m => (long)m.Rank * (m.Out + m.In)), q);

    /// <summary>The quantile of an adapter that nobody is looking at.</summary>
    public static double Of(Adapter adapter, double q)
    {
        var (quantile, factors) = (new FlatQuantile(adapter, q), new FactorBuffer(adapter));
        quantile.Pass(factors);
        return quantile.Finish(factors);
    }

    /// <summary>Takes a module in the first pass; its B is unscaled afterwards.</summary>
    public void Add(FactorBuffer factors)
    {
        quantile.Add(factors.A);
        quantile.Add(factors.UnscaledB());
    }

    /// <summary>Ends the first pass, and goes on until the quantile is known.</summary>
    public double Finish(FactorBuffer factors)
    {
        if (!quantile.IsDone)
            quantile.EndPass();
        while (!quantile.IsDone)
        {
            Pass(factors);
            quantile.EndPass();
        }

        return quantile.Value;
    }

    private void Pass(FactorBuffer factors)
    {
        foreach (var module in adapter.Modules)
        {
            factors.Read(module);
            Add(factors);
        }
    }
}

using System.Numerics.Tensors;

namespace Marketplace.Core.Analysis;

/// <summary>The folded factors of one module at a time, in memory that every module uses again: adapters are read three times, and their factors are too large to be garbage each time.</summary>
internal sealed class FactorBuffer
{
    private readonly Adapter adapter;
    private readonly double[] a;
    private readonly double[] b;
    private TargetModule? module;
    private bool scaled;

    public FactorBuffer(Adapter adapter)
    {
        this.adapter = adapter;
        a = new double[adapter.Modules.Select(m => checked(m.Rank * m.In)).DefaultIfEmpty().Max()];
        b = new double[adapter.Modules.Select(m => checked(m.Rank * m.Out)).DefaultIfEmpty().Max()];
    }

    /// <summary>A (r, in), row after row.</summary>
    public ReadOnlySpan<double> A => a.AsSpan(0, module!.Rank * module.In);

    /// <summary>B (out, r), row after row, with the scaling; not after <see cref="UnscaledB"/>.</summary>
    public ReadOnlySpan<double> B => scaled ? b.AsSpan(0, module!.Rank * module.Out) : throw new InvalidOperationException("The scaling has been taken out of B.");

    /// <summary>Reads a module.</summary>
    public void Read(TargetModule next)
    {
        (module, scaled) = (next, true);
        adapter.ReadFactors(next, b.AsSpan(0, next.Rank * next.Out), a.AsSpan(0, next.Rank * next.In));
    }

    /// <summary>B with the scaling taken out again, in place.</summary>
    public ReadOnlySpan<double> UnscaledB()
    {
        var values = b.AsSpan(0, module!.Rank * module.Out);
        if (scaled && module.Scaling != 1)
            TensorPrimitives.Divide(values, module.Scaling, values);
        scaled = false;
        return values;
    }
}

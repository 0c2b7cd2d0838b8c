using Marketplace.Core;
using Marketplace.Core.Formats;

namespace Marketplace.Tests.Algebra;

/// <summary>Adapters in memory.</summary>
internal static class Adapters
{
    public static LowRankDelta Scale(LowRankDelta delta, double scale) =>
        delta with { B = new Matrix(delta.Out, delta.Rank, [.. delta.B.Values.Select(x => scale * x)]) };

    public static LowRankDelta Random(Random random, int rows, int columns, int rank) =>
        new(Fill(new Matrix(rows, rank), random), Fill(new Matrix(rank, columns), random));

    public static Matrix Fill(Matrix matrix, Random random)
    {
        for (var i = 0; i < matrix.Values.Length; i++)
            matrix.Values[i] = Normal(random);
        return matrix;
    }

    public static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>An adapter of raw factors with a scaling; B is folded as a reader would.</summary>
    public static Adapter Of(double scaling, params (string Name, LowRankDelta Raw)[] modules) =>
        Of(modules.Select(m => (new TargetModule(m.Name, ModuleKind.Linear, m.Raw.Out, m.Raw.In, m.Raw.Rank, scaling), m.Raw)));

    public static Adapter Of(params (string Name, LowRankDelta Raw)[] modules) => Of(1, modules);

    public static Adapter Of(IEnumerable<(TargetModule Module, LowRankDelta Raw)> modules, params string[] carried)
    {
        var folded = modules.ToDictionary(m => m.Module.Name, m => Scale(m.Raw, m.Module.Scaling));
        return new Adapter(new AdapterConfig(), modules.Select(m => m.Module), m => folded[m.Name], carried);
    }
}

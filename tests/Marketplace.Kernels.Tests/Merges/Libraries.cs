using Marketplace.Core;
using Marketplace.Core.Formats;

namespace Marketplace.Kernels.Tests.Merges;

/// <summary>Adapters with random factors, the same for every run.</summary>
internal static class Libraries
{
    /// <summary>Three adapters of unequal ranks over tall, wide, small and shared modules; the last one lacks some.</summary>
    public static Adapter[] Mixed() =>
    [
        Adapter(1, 4, ("layer.0.q", 48, 40), ("layer.0.up", 96, 24), ("layer.1.q", 48, 40), ("layer.1.tiny", 3, 5)),
        Adapter(2, 7, ("layer.0.q", 48, 40), ("layer.0.up", 96, 24), ("layer.1.q", 48, 40), ("layer.1.tiny", 3, 5)),
        Adapter(3, 2, ("layer.0.q", 48, 40), ("layer.1.extra", 16, 64)),
    ];

    /// <summary>Modules large enough that libtorch would use several threads if it were let.</summary>
    public static Adapter[] Large() =>
        [.. Enumerable.Range(1, 3).Select(seed => Adapter(seed, 24, [.. Enumerable.Range(0, 6).Select(i => ($"layer.{i}.q", 640 + (64 * i), 512))]))];

    public static Adapter Adapter(int seed, int rank, params (string Name, int Out, int In)[] modules) => Adapter(
        modules.Select(m => new TargetModule(m.Name, ModuleKind.Linear, m.Out, m.In, rank, 2)),
        module =>
        {
            var random = new Random(HashCode(seed, module.Name));
            return new(Gaussian(random, module.Out, module.Rank), Gaussian(random, module.Rank, module.In));
        });

    public static Adapter Adapter(IEnumerable<TargetModule> modules, Func<TargetModule, LowRankDelta> read) => new(new AdapterConfig(), modules, read);

    private static int HashCode(int seed, string name) => name.Aggregate(seed, (hash, c) => unchecked((hash * 31) + c));

    public static Matrix Gaussian(Random random, int rows, int columns)
    {
        var matrix = new Matrix(rows, columns);
        for (var i = 0; i < matrix.Values.Length; i++)
            matrix.Values[i] = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return matrix;
    }
}

using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Analysis;

public sealed class AdapterAnalysisTests
{
    [Fact]
    public void Statistics_say_what_the_spectrum_says()
    {
        // Singular values 4, 2, 2, 0 by construction, and a second module of zeros.
        var delta = new LowRankDelta(new Matrix(5, 4, [4, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]), new Matrix(4, 4, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]));
        var zero = new LowRankDelta(new Matrix(3, 2), Adapters.Random(new Random(1), 3, 6, 2).A);
        var statistics = Statistics(Adapters.Of(0.5, ("q", Adapters.Scale(delta, 2)), ("v", zero)));

        var (q, v) = (statistics.Modules[0], statistics.Modules[1]);
        Dense.AssertClose([4, 2, 2, 0], q.SingularValues, 1e-14);
        Assert.Equal(Math.Sqrt(24), q.Norm, 1e-14);
        Assert.Equal(4, q.SpectralNorm, 1e-14);
        Assert.Equal(1.5, q.StableRank, 1e-14);
        // Shares 2∕3, 1∕6, 1∕6.
        Assert.Equal(Math.Exp((2d / 3 * Math.Log(1.5)) + (Math.Log(6) / 3)), q.EffectiveRank, 1e-13);
        Assert.Equal((3, false, 0.5), (q.NumericalRank, q.Degenerate, q.Scaling));
        Assert.Equal((0, 0, 0, 0, 0, false), (v.Norm, v.SpectralNorm, v.StableRank, v.EffectiveRank, v.NumericalRank, v.Degenerate));
        Assert.Equal((AdapterAnalysis.Version, 54L, 1, 0), (statistics.Version, statistics.Parameters, statistics.ZeroModules, statistics.DegenerateModules));
        Dense.AssertClose([Math.Sqrt(24), 4, 1.5, q.EffectiveRank], [statistics.Norm, statistics.SpectralNorm, statistics.MeanStableRank, statistics.MeanEffectiveRank], 1e-13);
    }

    [Fact]
    public void Equal_singular_values_are_flagged()
    {
        var statistics = Statistics(Adapters.Of(("q", new LowRankDelta(new Matrix(2, 2, [1, 0, 0, 1]), new Matrix(2, 2, [1, 0, 0, 1])))));
        Assert.True(statistics.Modules[0].Degenerate);
        Assert.Equal((1, 2), (statistics.DegenerateModules, statistics.Modules[0].EffectiveRank));
    }

    [Fact]
    public void An_adapter_without_modules_has_an_analysis()
    {
        var files = AdapterAnalysis.Compute(Adapters.Of());
        Assert.Equal([AdapterAnalysis.StatisticsFile, AdapterAnalysis.PrototypesFile, AdapterAnalysis.SketchFile], files.Select(f => f.Name));
        Assert.Equal(0, Statistics(Adapters.Of()).Norm);
    }

    [Fact]
    public void The_results_fit_together_and_are_the_same_each_time()
    {
        var random = new Random(3);
        var adapter = Adapters.Of(0.3, [.. Enumerable.Range(0, 4).Select(i => ($"m{i}", Adapters.Random(random, 70 + (300 * i), 500 - (100 * i), 1 + (5 * i))))]);
        var (first, second) = (AdapterAnalysis.Compute(adapter), AdapterAnalysis.Compute(adapter));
        foreach (var (one, other) in first.Zip(second))
            Assert.Equal(one.Bytes, other.Bytes);

        using var prototypes = SafetensorsFile.Read(first[1].Bytes);
        foreach (var module in adapter.Modules)
        {
            var expected = Prototype.Of(module.Name, adapter.Delta(module.Name)!);
            var stored = prototypes.ReadDouble(prototypes.Find(module.Name)!);
            Dense.AssertClose(expected.Direction, stored, 1e-7);
        }

        var sketch = AdapterSketch.Parse(first[2].Bytes);
        Assert.Equal(AdapterSketch.Of(adapter).Delta, sketch.Delta);
        Assert.Equal(AdapterSketch.Of(adapter).FlatAb, sketch.FlatAb);
        Assert.Equal(Statistics(adapter).Norm, sketch.Norm);
    }

    [Fact]
    public void What_a_file_gives_in_place_is_what_it_gives_as_matrices()
    {
        foreach (var folder in Fixtures.Adapters)
        {
            if (!AdapterReader.TryOpen(folder, out var adapter, out _))
                continue;
            using (adapter)
            {
                foreach (var module in adapter.Modules)
                {
                    var (b, a, delta) = (new double[module.Out * module.Rank], new double[module.Rank * module.In], adapter.Delta(module.Name)!);
                    adapter.ReadFactors(module, b, a);
                    Assert.Equal(delta.B.Values, b);
                    Assert.Equal(delta.A.Values, a);
                }
            }
        }
    }

    [Fact]
    public void Real_adapters_are_analysed_and_the_broken_one_is_not()
    {
        var (analysed, refused) = (0, 0);
        foreach (var wild in WildAdapters.Catalogue())
        {
            if (!AdapterReader.TryOpen(wild.Folder, out var adapter, out _))
                continue;
            using (adapter)
            {
                if (wild.Because.Any(b => b == "non-finite"))
                {
                    Assert.Throws<NotFiniteNumberException>(() => AdapterAnalysis.Compute(adapter));
                    refused++;
                    continue;
                }

                var statistics = Statistics(adapter);
                Assert.All(statistics.Modules, m =>
                {
                    Assert.Equal(m.Norm, Math.Sqrt(m.SingularValues.Sum(s => s * s)), 1e-9 * (1e-12 + m.Norm));
                    Assert.InRange(m.EffectiveRank, m.SpectralNorm == 0 ? 0 : 1, m.Rank * (1 + 1e-12));
                    Assert.InRange(m.StableRank, m.SpectralNorm == 0 ? 0 : 1 - 1e-12, m.Rank * (1 + 1e-12));
                });
                analysed++;
            }
        }

        Assert.True(analysed > 5 && refused > 0, $"{analysed} analysed, {refused} refused");
    }

    private static AdapterStatistics Statistics(Adapter adapter) =>
        JsonSerializer.Deserialize<AdapterStatistics>(AdapterAnalysis.Compute(adapter)[0].Bytes, ApiJson.Options)!;
}

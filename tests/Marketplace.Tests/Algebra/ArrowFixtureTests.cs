using Marketplace.Core;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>Five task and two general adapters, once with one dominant singular value per module (gapped), once without (flat).</summary>
public sealed class ArrowFixtureTests
{
    private const double Gap = 1e-4; // below it a singular vector is not unique enough to compare

    [Theory]
    [InlineData("gapped")]
    [InlineData("flat")]
    public void Prototypes_equal_the_recorded_ones(string family) =>
        AssertPrototypes(family, "arrow", [.. Tasks(family).Select(a => Prototype.Of(a).ToList())]);

    [Theory]
    [InlineData("gapped")]
    [InlineData("flat")]
    public void Residuals_and_their_prototypes_equal_the_recorded_ones(string family)
    {
        Adapter[] general = [.. Enumerable.Range(0, 2).Select(i => Load(family, $"general_{i}"))];
        using var file = PeftFiles.Open("arrow", family, "gks_exact.prototypes_exact.safetensors");
        var residuals = Tasks(family).Select(task =>
        {
            Assert.True(MergePlan.TryCreate(WeightedSum.Subtraction([.. general.Select(_ => 1d)]), [task, .. general], out var plan, out _));
            return Merging.Run(plan, [task, .. general]).ToList();
        }).ToList();
        foreach (var module in residuals[0].Where(m => file.Find("delta_task0." + m.Module.Name) is not null))
            Dense.AssertClose(PeftFiles.Dense(file, "delta_task0." + module.Module.Name), module.Delta, 1e-6);
        AssertPrototypes(family, "gks_exact", residuals.ConvertAll(r => r.ConvertAll(m => Prototype.Of(m.Module.Name, m.Delta))));
    }

    [Theory]
    [InlineData("arrow_top2_t0.5", 2, 0.5)]
    [InlineData("arrow_top3_t1", 3, 1)]
    public void Routing_weights_equal_those_of_peft(string run, int topK, double temperature)
    {
        using var file = PeftFiles.Open("arrow", "gapped", run + ".safetensors");
        var tasks = Tasks("gapped").ToList();
        foreach (var module in new[] { "model.layers.0.mlp.down_proj", "model.layers.1.self_attn.v_proj" })
        {
            Prototype[] prototypes = [.. tasks.Select(a => Prototype.Of(module, a.Delta(module)!))];
            var (tokens, peft) = (PeftFiles.Matrix(file, "peft.input." + module), PeftFiles.Matrix(file, "peft.coef." + module));
            for (var t = 0; t < tokens.Rows; t++)
                Dense.AssertClose(peft.Row(t).ToArray(), Router.Weights(tokens.Row(t), prototypes, topK, temperature), 1e-4);
        }
    }

    private static void AssertPrototypes(string family, string name, List<List<Prototype>> prototypes)
    {
        using var file = PeftFiles.Open("arrow", family, name + ".prototypes_exact.safetensors");
        var compared = 0;
        for (var e = 0; e < prototypes.Count; e++)
            foreach (var prototype in prototypes[e])
            {
                var s = PeftFiles.Matrix(file, "singular_values." + prototype.Module).Row(e);
                Assert.Equal(s[0], prototype.S1, 1e-6 * s[0]);
                Assert.Equal(s[1], prototype.S2, 1e-6 * s[0]);
                if (s[0] - s[1] < Gap * s[0])
                    continue;
                var v = PeftFiles.Matrix(file, "prototypes." + prototype.Module).Row(e).ToArray();
                Assert.True(Math.Abs(v.Zip(prototype.Direction, (x, y) => x * y).Sum()) > 1 - 1e-6, $"{prototype.Module} of task {e}");
                compared++;
            }
        Assert.True(compared > 30);
    }

    private static IEnumerable<Adapter> Tasks(string family) => Enumerable.Range(0, 5).Select(i => Load(family, $"task_{i}"));

    private static Adapter Load(string family, string name) => PeftFiles.Load("arrow", family, "adapters", name);
}

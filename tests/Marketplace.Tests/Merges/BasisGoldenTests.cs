using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Core.Merges.Basis;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Basis methods on three adapters in closed form (6×5, rank 2, scales 2, 1, ½) against values computed with numpy and scikit-learn.</summary>
public sealed class BasisGoldenTests
{
    private const double Tolerance = 2e-8; // the values are recorded with 8 decimals

    private static readonly JsonElement Golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Root, "golden.json"))).RootElement;
    private static readonly double[] Scales = [2, 1, 0.5];
    private static readonly Adapter[] Library = [.. Enumerable.Range(0, 3).Select(e => Adapters.Of(Scales[e], ("q_proj", Factors(e))))];

    [Fact]
    public void Singular_values_of_all_inputs_side_by_side()
    {
        var sources = BasisSource.Of(Step("knots"), ReferenceKernels.Instance);
        var (basis, s) = Knots.Align(sources, 1e-10, ReferenceKernels.Instance);
        Dense.AssertClose(Numbers("knots_sv"), s, Tolerance);
        Assert.Equal(4, basis.Rows);
    }

    [Fact]
    public void Wudi_without_a_ridge()
    {
        var merged = Dense.Of(BasisMerge.Merge(BasisMerge.Recipe("wudi ridge=0 cut=0", 3), Library));
        Dense.AssertClose(Numbers("wudi_row0"), Dense.Row(merged, 0), Tolerance);
        double[][,] inputs = [.. Library.Select(a => Dense.Of(a.Delta("q_proj")!))];
        Assert.Equal(Number("wudi_loss"), BasisOracles.WudiLoss(merged, inputs), 1e-10);
        Assert.Equal(Number("wudi_loss_at_sum"), BasisOracles.WudiLoss(Dense.Sum([.. inputs.Select(d => (1d, d))]), inputs), 1e-9);
    }

    [Fact]
    public void Axis_with_three_axes()
    {
        var merged = BasisMerge.Merge(BasisMerge.Recipe("axis axes=3", 3), Library);
        Assert.Equal(3, merged.Rank);
        Dense.AssertClose(Numbers("axis_K3_sv"), LowRankSvd.Of(merged).S, Tolerance);
    }

    [Fact]
    public void Lego_with_two_clusters()
    {
        var recipe = BasisMerge.Recipe("lego units=as_trained rank=2", 3);
        Dense.AssertClose(Numbers("lego_row0_k2_inf"), Dense.Row(Dense.Of(BasisMerge.Merge(recipe, Library)), 0), Tolerance);
    }

    [Fact]
    public void Lego_finds_the_best_partition_of_units()
    {
        var (units, sources) = Lego.Pool(Step("lego", ("units", RecipeValue.Of("as_trained"))), ReferenceKernels.Instance);
        Assert.Equal([2, 2, 2], sources);
        var partition = KMeans.Run(units, 2);
        Assert.Equal(Number("lego_inertia"), partition.Inertia, 1e-9);

        // Which unit is which is told by the largest number of its a, which the fixture lists by input and unit.
        var norms = Numbers("lego_pool_inf_norms");
        var expected = Golden.GetProperty("lego_best_partition").EnumerateArray().Select(x => x.GetInt32()).ToList();
        var labels = norms.Select(norm => partition.Labels[Enumerable.Range(0, 6).Single(i => Math.Abs(Largest(units.Row(i)) - norm) < Tolerance)]).ToList();
        for (var i = 0; i < 6; i++)
            for (var j = 0; j < 6; j++)
                Assert.Equal(expected[i] == expected[j], labels[i] == labels[j]);
    }

    private static LowRankDelta Factors(int e)
    {
        var (b, a) = (new Matrix(6, 2), new Matrix(2, 5));
        for (var j = 0; j < 2; j++)
        {
            for (var i = 0; i < 6; i++)
                b[i, j] = Math.Sin((1.1 * (i + 1) * (j + 1)) + (0.5 * e));
            for (var c = 0; c < 5; c++)
                a[j, c] = Math.Cos((0.7 * (j + 1) * (c + 1)) + (0.3 * e));
        }
        return new(b, a);
    }

    private static MergeStep Step(string method, params (string Name, RecipeValue Value)[] given)
    {
        var parameters = new ParameterValues(MergeMethods.Find(method)!, given.ToImmutableDictionary(g => g.Name, g => g.Value));
        return new(Library[0].Modules[0], [.. Library.Select((a, e) => new StepInput(a.Delta("q_proj"), 1, parameters, Scales[e]))], parameters, null);
    }

    private static double Largest(Span<double> x) => Math.Abs(System.Numerics.Tensors.TensorPrimitives.MaxMagnitude<double>(x));

    private static double Number(string name) => Golden.GetProperty(name).GetDouble();

    private static double[] Numbers(string name) => [.. Golden.GetProperty(name).EnumerateArray().Select(x => x.GetDouble())];
}

using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Extraction;

/// <summary>Models put together by hand, with tensors that no linear layer has.</summary>
public sealed class LeftOutTests : IDisposable
{
    private static readonly double[] Two = [1, 0, 0, 0.001]; // singular values 1 and 0.001

    private readonly TemporaryFolder folder = new();
    private readonly List<BaseWeights> opened = [];

    [Fact]
    public void Fused_experts_quantised_weights_and_nameless_matrices_are_named_if_they_changed()
    {
        TensorSource[] Model(double shift, byte quantised) =>
        [
            Numbers("q.weight", [2, 2], [.. Two.Select(x => x * shift)]),
            Numbers("experts.weight", [2, 1, 2], [1, 2, 3, 4 + shift]),
            Numbers("experts.same", [2, 1, 2], [1, 2, 3, 4]),
            Numbers("table", [2, 2], [1, 2, 3, 4 + shift]),
            new("packed.weight", TensorType.I8, [1], () => new[] { quantised }),
            new("packed.same", TensorType.I8, [1], () => new byte[] { 9 }),
        ];
        var (export, report) = Extract(Write(Model(0, 1)), Write(Model(1, 2)), RankPolicy.Lossless);
        Assert.NotNull(export);
        Assert.Equal(2, report!.Unchanged);
        Assert.Equal(
            [("experts.weight", LeftOut.Dimensions), ("packed.weight", LeftOut.TypeUnsupported), ("table", LeftOut.Dimensions)],
            report.LeftOut.Select(l => (l.Tensor, l.Reason)));
    }

    [Fact]
    public void A_tolerance_drops_small_singular_values_and_says_how_much_energy_they_had()
    {
        var (_, report) = Extract(Write(Numbers("q.weight", [2, 2], new double[4])), Write(Numbers("q.weight", [2, 2], Two)), new(Tolerance: 0.01));
        var module = Assert.Single(report!.Modules);
        Assert.Equal(1, module.Rank);
        Assert.Equal(1 - (1e-6 / (1 + 1e-6)), module.KeptEnergy, 1e-12);
        Assert.Null(module.RelativeNorm); // the base is zero
    }

    [Fact]
    public void A_cancelled_extraction_stops()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => LoraExtraction.TryRun(
            Write(Numbers("q.weight", [2, 2], new double[4])), Write(Numbers("q.weight", [2, 2], Two)), new("b", RankPolicy.Lossless), out _, out _, out _, cancellation: cancelled.Token));
    }

    [Fact]
    public void A_selection_among_values_that_are_not_finite_is_refused()
    {
        var tuned = Write(Numbers("q.weight", [2, 2], [1, double.PositiveInfinity, 0, 0]));
        Assert.Null(SparseConversion.FromModels(
            Write(Numbers("q.weight", [2, 2], new double[4])), tuned, 1, false, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(ExtractionProblem.NotFinite, Assert.Single(problems).Code);
    }

    public void Dispose()
    {
        opened.ForEach(w => w.Dispose());
        folder.Dispose();
    }

    private static (ServingExport? Export, ExtractionReport? Report) Extract(BaseWeights first, BaseWeights second, RankPolicy policy)
    {
        Assert.True(LoraExtraction.TryRun(
            first, second, new("b", policy), out var export, out var report, out var problems, cancellation: TestContext.Current.CancellationToken), string.Join('\n', problems));
        return (export, report);
    }

    private static TensorSource Numbers(string name, long[] shape, double[] values) => TensorSource.FromDoubles(name, TensorType.F64, [.. shape], () => values);

    private BaseWeights Write(params TensorSource[] tensors)
    {
        var path = Directory.CreateDirectory(Path.Combine(folder.Path, Guid.NewGuid().ToString("N"))).FullName;
        SafetensorsWriter.Save(Path.Combine(path, "model.safetensors"), tensors);
        opened.Add(Models.Open(path));
        return opened[^1];
    }
}

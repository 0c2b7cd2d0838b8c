using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Extraction;

public sealed class FineTuningTransferTests : IDisposable
{
    private const string Module = "model.layers.0.self_attn.q_proj";

    private readonly TemporaryFolder folder = new();
    private readonly BaseWeights old = Models.OpenBase("llama");
    private readonly LowRankDelta delta = Adapters.Random(new Random(1), 48, 48, 2);
    private readonly List<BaseWeights> opened = [];

    [Fact]
    public void The_adapter_is_the_difference_and_the_report_tells_how_the_bases_differ()
    {
        var (tuned, renewed) = (Tuned(), Make((_, w) => [.. w.Select(x => 2 * x)]));
        Assert.True(FineTuningTransfer.TryExtract(
            old, tuned, renewed, new("owner/new", RankPolicy.Lossless), out var export, out var extraction, out var report, out _, cancellation: TestContext.Current.CancellationToken));
        var transferred = Assert.Single(report.Tensors);
        Assert.Equal(Module + ".weight", transferred.Tensor);
        Assert.Equal(1, transferred.BaseCosine, 1e-12);
        Assert.Equal(1, transferred.BaseChange!.Value, 1e-12);
        Assert.Equal(extraction.Modules[0].RelativeNorm!.Value / 2, transferred.RelativeChange!.Value, 1e-12);
        Assert.Equal(("model.norm.weight", LeftOut.NotLinear), (Assert.Single(report.LeftOut).Tensor, report.LeftOut[0].Reason));
        Assert.Equal("owner/new", export.Config.BaseModel);
        export.Save(folder.Path);
        using var adapter = AdapterReader.Open(folder.Path);
        Dense.AssertClose(Dense.Of(delta), adapter.Delta(Module)!, 1e-6);
    }

    [Fact]
    public void Whole_weights_are_the_new_base_and_the_difference_in_the_new_bases_shards()
    {
        var random = new Random(5);
        var (tuned, next) = (Tuned(), Make((_, w) => [.. w.Select(x => x + (0.1 * Adapters.Normal(random)))]));
        var shards = Path.Combine(folder.Path, "new-shards");
        Models.WriteSharded(next, shards, 3);
        File.WriteAllText(Path.Combine(shards, "tokenizer.json"), "{}");
        var renewed = Open(shards);
        var target = Path.Combine(folder.Path, "result");
        Assert.True(FineTuningTransfer.TryWrite(old, tuned, renewed, target, out var report, out var problems, cancellation: TestContext.Current.CancellationToken), string.Join('\n', problems));
        Assert.Equal([Module + ".weight", "model.norm.weight"], report.Tensors.Select(t => t.Tensor));
        var result = Open(target);
        Assert.Equal(renewed.Files, result.Files);
        Assert.True(File.Exists(Path.Combine(target, "tokenizer.json")) && File.Exists(Path.Combine(target, "config.json")));
        foreach (var tensor in renewed.Tensors)
        {
            var (x, y, z, w) = (old.Read(old.Find(tensor.Name)!), tuned.Read(tuned.Find(tensor.Name)!), renewed.Read(tensor), result.Read(result.Find(tensor.Name)!));
            Assert.Equal(tensor.Type, result.Find(tensor.Name)!.Type);
            for (var i = 0; i < x.Length; i++)
                Assert.Equal(z[i] + (y[i] - x[i]), w[i], 1e-6 * (1 + Math.Abs(w[i])));
        }
    }

    [Fact]
    public void Modules_that_the_new_base_lacks_or_has_in_another_shape_are_refused_by_name()
    {
        var tuned = Make((t, w) => t.Name is "model.layers.0.mlp.up_proj.weight" or "model.layers.1.mlp.up_proj.weight" ? [.. w.Select(x => x + 1)] : null);
        var path = Path.Combine(folder.Path, "other");
        Directory.CreateDirectory(path);
        SafetensorsWriter.Save(Path.Combine(path, "model.safetensors"), old.Tensors.Where(t => t.Name != "model.layers.0.mlp.up_proj.weight")
            .Select(t => t.Name == "model.layers.1.mlp.up_proj.weight"
                ? new TensorSource(t.Name, t.Type, [t.Shape[0] * 2, t.Shape[1] / 2], () => old.ReadBytes(t))
                : new TensorSource(t.Name, t.Type, t.Shape, () => old.ReadBytes(t))));
        var renewed = Open(path);
        (string, string)[] expected = [(ExtractionProblem.NewBaseMissing, "model.layers.0.mlp.up_proj.weight"), (ExtractionProblem.NewBaseShape, "model.layers.1.mlp.up_proj.weight")];
        Assert.False(FineTuningTransfer.TryExtract(
            old, tuned, renewed, new("b", RankPolicy.Lossless), out _, out _, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(expected, problems.Select(p => (p.Code, p.Tensor!)));
        var target = Path.Combine(folder.Path, "result");
        Assert.False(FineTuningTransfer.TryWrite(old, tuned, renewed, target, out _, out problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(expected, problems.Select(p => (p.Code, p.Tensor!)));
        Assert.False(Directory.Exists(target));
    }

    [Fact]
    public void A_result_beyond_the_new_bases_type_leaves_no_weights_behind()
    {
        var tuned = Make((t, w) => t.Name == "model.norm.weight" ? [.. w.Select(x => x + 1e9)] : null);
        var halves = Path.Combine(folder.Path, "halves");
        Models.Write(old, halves, type: TensorType.F16);
        var target = Path.Combine(folder.Path, "result");
        Assert.False(FineTuningTransfer.TryWrite(old, tuned, Open(halves), target, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal((ExtractionProblem.Overflow, "model.norm.weight"), (Assert.Single(problems).Code, problems[0].Tensor));
        Assert.Empty(Directory.EnumerateFiles(target, "*.safetensors"));
    }

    [Fact]
    public void A_head_that_tuning_untied_does_not_fit_into_a_tied_base()
    {
        using var tied = Models.OpenBase("llama-tied");
        var path = Path.Combine(folder.Path, "untied");
        Directory.CreateDirectory(path);
        var embeddings = tied.Find("model.embed_tokens.weight")!;
        SafetensorsWriter.Save(Path.Combine(path, "model.safetensors"), tied.Tensors
            .Select(t => TensorSource.FromDoubles(t.Name, t.Type, t.Shape, () => t == embeddings ? [.. tied.Read(t).Select(x => x + 1)] : tied.Read(t)))
            .Append(TensorSource.FromDoubles("lm_head.weight", TensorType.F32, embeddings.Shape, () => [.. tied.Read(embeddings).Select(x => x + 2)])));
        Assert.False(FineTuningTransfer.TryWrite(tied, Open(path), tied, Path.Combine(folder.Path, "r"), out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(ExtractionProblem.NewBaseMissing, Assert.Single(problems).Code);
    }

    [Fact]
    public void A_model_that_was_not_tuned_has_nothing_to_carry_over()
    {
        Assert.False(FineTuningTransfer.TryWrite(old, old, old, Path.Combine(folder.Path, "r"), out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(ExtractionProblem.NothingChanged, Assert.Single(problems).Code);
    }

    public void Dispose()
    {
        opened.ForEach(w => w.Dispose());
        old.Dispose();
        folder.Dispose();
    }

    private BaseWeights Tuned() => Make((t, w) => t.Name switch
    {
        Module + ".weight" => Models.Add(w, delta, false),
        "model.norm.weight" => [.. w.Select(x => x + 0.5)],
        _ => null,
    }, TensorType.F64);

    private BaseWeights Make(Func<TensorInfo, double[], double[]?> change, TensorType? type = null)
    {
        var path = Path.Combine(folder.Path, Guid.NewGuid().ToString("N"));
        Models.Write(old, path, change, type: type);
        return Open(path);
    }

    private BaseWeights Open(string path)
    {
        opened.Add(Models.Open(path));
        return opened[^1];
    }
}

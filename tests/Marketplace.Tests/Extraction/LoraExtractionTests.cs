using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Extraction;

public sealed class LoraExtractionTests : IDisposable
{
    private static readonly ExtractionOptions Options = new("owner/base", RankPolicy.Lossless);

    private readonly TemporaryFolder folder = new();

    [Theory]
    [InlineData("llama", "model.layers.0.self_attn.q_proj", 48, 48)]
    [InlineData("llama", "model.layers.1.mlp.down_proj", 48, 80)]
    [InlineData("gpt2", "transformer.h.0.attn.c_proj", 48, 48)]
    [InlineData("gpt2", "transformer.h.1.attn.c_attn", 144, 48)]
    public void A_low_rank_change_comes_back_exactly(string model, string module, int rows, int columns)
    {
        using var original = Models.OpenBase(model);
        var delta = Adapters.Random(new Random(1), rows, columns, 3);
        using var tuned = Tuned(original, (t, w) => t.Name == module + ".weight" ? Models.Add(w, delta, model == "gpt2") : null, TensorType.F64);
        var (adapter, report) = Extract(original, tuned, Options);
        using (adapter)
        {
            var extracted = Assert.Single(report.Modules);
            Assert.Equal((module, rows, columns, 3), (extracted.Module, extracted.Out, extracted.In, extracted.Rank));
            Assert.Equal(1, extracted.KeptEnergy, 1e-12);
            Assert.Equal(Deltas.Norm(delta), extracted.Norm, 1e-9 * extracted.Norm);
            Assert.Equal(original.Tensors.Length - 1, report.Unchanged);
            Assert.Equal(model == "gpt2", adapter.Config.FanInFanOut);
            Assert.Equal("owner/base", adapter.Config.BaseModel);
            Dense.AssertClose(Dense.Of(delta), adapter.Delta(module)!, 1e-6); // factors are float32
        }
    }

    [Theory]
    [InlineData("llama/plain")]
    [InlineData("llama/rslora")]
    [InlineData("llama/rank_above_width")]
    [InlineData("gpt2/plain")]
    [InlineData("gpt2/square_only")]
    [InlineData("gpt2/fan_flag_false")]
    [InlineData("phi3/plain")]
    public void What_peft_merged_is_extracted_again(string name)
    {
        using var original = Models.OpenBase(name.Split('/')[0]);
        using var adapter = AdapterReader.Open(Fixtures.Adapter(name));
        using var merged = PeftFiles.Open("adapters", name, "merged.safetensors");
        using var tuned = Tuned(original, (t, _) => merged.Find("merged_weight." + t.Name) is { } found ? merged.ReadDouble(found) : null);
        var (extracted, report) = Extract(original, tuned, Options);
        using (extracted)
        {
            Assert.Equal(merged.Tensors.Length, report.Modules.Length);
            // The merged weights were rounded to float32, which is noise beside ΔW.
            Assert.All(report.Modules, m => Dense.AssertClose(Dense.Of(adapter.Delta(m.Module)!), extracted.Delta(m.Module)!, 1e-5));
        }
    }

    [Fact]
    public void What_a_fixed_rank_discards_is_the_tail_of_the_spectrum()
    {
        using var original = Models.OpenBase("llama");
        var random = new Random(8);
        using var tuned = Tuned(original, (t, w) => IsLinear(t) ? [.. w.Select(x => x + (0.01 * Adapters.Normal(random)))] : null, TensorType.F64);
        var (adapter, report) = Extract(original, tuned, Options with { Policy = new(5) });
        using (adapter)
        {
            Assert.Equal(14, report.Modules.Length);
            foreach (var module in report.Modules)
            {
                var name = module.Module + ".weight";
                var dense = Dense.Sum(
                    (1, Models.Weight(tuned.Read(tuned.Find(name)!), module.Out, module.In, false)), (-1, Models.Weight(original.Read(original.Find(name)!), module.Out, module.In, false)));
                var s = Dense.SingularValues(dense);
                Assert.Equal(s.Take(5).Sum(x => x * x) / s.Sum(x => x * x), module.KeptEnergy, 1e-9);
                Dense.AssertClose(Dense.Truncate(dense, 5), adapter.Delta(module.Module)!, 1e-5);
            }

            Assert.InRange(report.KeptEnergy, report.Modules.Min(m => m.KeptEnergy), report.Modules.Max(m => m.KeptEnergy));
        }
    }

    [Fact]
    public void Shards_and_one_file_give_the_same_bytes()
    {
        using var original = Models.OpenBase("llama");
        using var tuned = Tuned(original, (t, w) => IsLinear(t) ? [.. w.Select((x, i) => x + (0.01 * Math.Cos(i)))] : null);
        Models.WriteSharded(tuned, Path.Combine(folder.Path, "tuned-shards"), 3);
        Models.WriteSharded(original, Path.Combine(folder.Path, "base-shards"), 2);
        using var tunedShards = Models.Open(Path.Combine(folder.Path, "tuned-shards"));
        using var baseShards = Models.Open(Path.Combine(folder.Path, "base-shards"));
        using var one = Bytes(original, tuned);
        using var many = Bytes(baseShards, tunedShards);
        Assert.Equal(one.ToArray(), many.ToArray());
    }

    [Fact]
    public void Ranks_that_differ_are_padded_to_one()
    {
        using var original = Models.OpenBase("llama");
        var random = new Random(3);
        using var tuned = Tuned(original, (t, w) => t.Name switch
        {
            "model.layers.0.self_attn.q_proj.weight" => Models.Add(w, Adapters.Random(random, 48, 48, 2), false),
            "model.layers.0.mlp.up_proj.weight" => Models.Add(w, Adapters.Random(random, 80, 48, 11), false),
            _ => null,
        }, TensorType.F64);
        var (adapter, report) = Extract(original, tuned, Options);
        using (adapter)
        {
            Assert.Equal([11, 2], report.Modules.Select(m => m.Rank));
            Assert.Equal(16, report.Export.Rank);
            Assert.Empty(adapter.Config.RankPattern);
            Assert.All(adapter.Modules, m => Assert.Equal((16, 1d), (m.Rank, m.Scaling)));
        }
    }

    [Fact]
    public void What_a_lora_cannot_hold_is_named()
    {
        using var original = Models.OpenBase("llama");
        var path = Directory.CreateDirectory(Path.Combine(folder.Path, "t")).FullName;
        SafetensorsWriter.Save(Path.Combine(path, "model.safetensors"), original.Tensors
            .Where(t => t.Name != "model.layers.1.mlp.up_proj.weight")
            .Select(t => t.Name == "lm_head.weight"
                ? new TensorSource(t.Name, TensorType.F32, [t.Shape[0] + 1, t.Shape[1]], () => new byte[(t.Shape[0] + 1) * t.Shape[1] * 4])
                : TensorSource.FromDoubles(t.Name, TensorType.F32, t.Shape, () => Changed(t, original.Read(t))))
            .Append(new("extra.bias", TensorType.F32, [2], () => new byte[8])));
        using var tuned = Models.Open(path);
        var (adapter, report) = Extract(original, tuned, Options with { SkipBelow = 1e-3 });
        using (adapter)
        {
            Assert.Equal("model.layers.0.self_attn.q_proj", Assert.Single(report.Modules).Module);
            Assert.Equal(
                [
                    ("extra.bias", LeftOut.OnlyInTuned), ("lm_head.weight", LeftOut.ShapeChanged), ("model.embed_tokens.weight", LeftOut.Embedding),
                    ("model.layers.0.self_attn.k_proj.weight", LeftOut.BelowTolerance), ("model.layers.1.mlp.up_proj.weight", LeftOut.OnlyInBase),
                    ("model.norm.weight", LeftOut.NotLinear),
                ],
                report.LeftOut.Select(l => (l.Tensor, l.Reason)));
            Assert.All(report.LeftOut.Where(l => l.Reason is LeftOut.NotLinear or LeftOut.Embedding), l => Assert.Equal(0.1, l.RelativeNorm!.Value, 1e-6));
        }

        Assert.False(LoraExtraction.TryRun(original, tuned, Options with { SkipBelow = 1e-3, RefuseRest = true }, out _, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.All(problems, p => Assert.Equal(ExtractionProblem.ChangeNotExpressible, p.Code));
        Assert.Equal(["extra.bias", "lm_head.weight", "model.embed_tokens.weight", "model.layers.1.mlp.up_proj.weight", "model.norm.weight"], problems.Select(p => p.Tensor).Order(StringComparer.Ordinal));

        static double[] Changed(TensorInfo t, double[] w) => t.Name switch
        {
            "model.norm.weight" or "model.embed_tokens.weight" => [.. w.Select(x => 1.1 * x)],
            "model.layers.0.self_attn.k_proj.weight" => [.. w.Select(x => 1.0001 * x)],
            "model.layers.0.self_attn.q_proj.weight" => [.. w.Select(x => 1.01 * x)],
            _ => w,
        };
    }

    [Fact]
    public void Embeddings_and_head_are_extracted_on_request()
    {
        using var original = Models.OpenBase("llama");
        var (embedding, head) = (Adapters.Random(new Random(4), 48, 320, 2), Adapters.Random(new Random(5), 320, 48, 2));
        using var tuned = Tuned(original, (t, w) => t.Name switch
        {
            "model.embed_tokens.weight" => Models.Add(w, embedding, true),
            "lm_head.weight" => Models.Add(w, head, false),
            _ => null,
        }, TensorType.F64);
        var (adapter, report) = Extract(original, tuned, Options with { IncludeEmbeddings = true });
        using (adapter)
        {
            Assert.Equal(["lm_head", "model.embed_tokens"], report.Modules.Select(m => m.Module));
            Assert.Equal(ModuleKind.Embedding, adapter.Find("model.embed_tokens")!.Kind);
            Dense.AssertClose(Dense.Of(embedding), adapter.Delta("model.embed_tokens")!, 1e-6);
            Dense.AssertClose(Dense.Of(head), adapter.Delta("lm_head")!, 1e-6);
            Assert.Equal(["model.embed_tokens"], report.Export.RefusedByServers);
        }

        Assert.False(LoraExtraction.TryRun(original, tuned, Options, out _, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(ExtractionProblem.NothingChanged, Assert.Single(problems).Code);
    }

    [Fact]
    public void A_tied_head_that_tuning_untied_is_compared_with_the_embeddings()
    {
        using var original = Models.OpenBase("llama-tied");
        var path = Path.Combine(folder.Path, "untied");
        Directory.CreateDirectory(path);
        var embeddings = original.Find("model.embed_tokens.weight")!;
        var head = Adapters.Random(new Random(6), 260, 32, 2);
        SafetensorsWriter.Save(Path.Combine(path, "model.safetensors"), original.Tensors.Select(t => new TensorSource(t.Name, t.Type, t.Shape, () => original.ReadBytes(t)))
            .Append(TensorSource.FromDoubles("lm_head.weight", TensorType.F64, embeddings.Shape, () => Models.Add(original.Read(embeddings), head, false))));
        using var tuned = Models.Open(path);
        var (adapter, report) = Extract(original, tuned, Options with { IncludeEmbeddings = true });
        using (adapter)
            Dense.AssertClose(Dense.Of(head), adapter.Delta(Assert.Single(report.Modules).Module)!, 1e-6);
    }

    [Fact]
    public void Embeddings_that_the_head_shares_come_with_a_warning()
    {
        using var original = Models.OpenBase("llama-tied");
        using var tuned = Tuned(original, (t, w) => t.Name == "model.embed_tokens.weight" ? [.. w.Select(x => 1.5 * x)] : null);
        var (adapter, report) = Extract(original, tuned, Options with { IncludeEmbeddings = true });
        using (adapter)
        {
            Assert.Equal("model.embed_tokens", Assert.Single(report.Modules).Module);
            Assert.Contains(report.LeftOut, l => l is { Tensor: "lm_head.weight", Reason: LeftOut.TiedHead });
        }
    }

    [Fact]
    public void Exports_with_and_without_the_models_name_are_matched()
    {
        using var original = Models.OpenBase("gpt2");
        var delta = Adapters.Random(new Random(7), 48, 48, 2);
        using var tuned = Tuned(original, (t, w) => t.Name == "transformer.h.0.attn.c_proj.weight" ? Models.Add(w, delta, true) : null, TensorType.F64);
        var bare = Path.Combine(folder.Path, "bare");
        Models.Write(original, bare, rename: n => n["transformer.".Length..]);
        using var weights = Models.Open(bare);
        var (adapter, report) = Extract(weights, tuned, Options);
        using (adapter)
        {
            Assert.Empty(report.LeftOut);
            Assert.Equal("transformer.h.0.attn.c_proj", Assert.Single(report.Modules).Module);
            Dense.AssertClose(Dense.Of(delta), adapter.Delta("transformer.h.0.attn.c_proj")!, 1e-6);
        }
    }

    [Fact]
    public void A_model_against_itself_has_nothing_to_extract()
    {
        using var original = Models.OpenBase("llama");
        Assert.False(LoraExtraction.TryRun(original, original, Options, out _, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(ExtractionProblem.NothingChanged, Assert.Single(problems).Code);
    }

    [Fact]
    public void Values_that_are_not_finite_are_refused_by_name()
    {
        using var original = Models.OpenBase("llama");
        using var tuned = Tuned(original, (t, w) => t.Name is "model.norm.weight" or "model.layers.0.mlp.up_proj.weight" ? [double.NaN, .. w.Skip(1)] : null);
        Assert.False(LoraExtraction.TryRun(original, tuned, Options, out _, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(
            [(ExtractionProblem.NotFinite, "model.layers.0.mlp.up_proj.weight"), (ExtractionProblem.NotFinite, "model.norm.weight")], problems.Select(p => (p.Code, p.Tensor!)));
    }

    [Theory]
    [InlineData(0, null, 0)]
    [InlineData(8, 1.5, 0)]
    [InlineData(8, null, -1)]
    public void Options_that_contradict_themselves_are_refused(int maxRank, double? energy, double skip)
    {
        using var original = Models.OpenBase("llama");
        var options = new ExtractionOptions("owner/base", new(Energy: energy), maxRank, SkipBelow: skip);
        Assert.False(LoraExtraction.TryRun(original, original, options, out _, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(ExtractionProblem.OptionsInvalid, Assert.Single(problems).Code);
    }

    [Fact]
    public void Values_beyond_the_type_of_the_factors_are_refused()
    {
        using var original = Models.OpenBase("llama");
        using var tuned = Tuned(original, (t, w) => t.Name == "model.layers.0.mlp.up_proj.weight" ? [.. w.Select(x => x * 1e12)] : null, TensorType.F64);
        Assert.False(LoraExtraction.TryRun(original, tuned, Options with { Type = TensorType.F16 }, out _, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(ExportProblem.Overflow, problems[0].Code);
    }

    public void Dispose() => folder.Dispose();

    private static bool IsLinear(TensorInfo tensor) => tensor.Name.EndsWith("_proj.weight", StringComparison.Ordinal);

    private BaseWeights Tuned(BaseWeights original, Func<TensorInfo, double[], double[]?> change, TensorType? type = null)
    {
        var path = Path.Combine(folder.Path, Guid.NewGuid().ToString("N"));
        Models.Write(original, path, change, type: type);
        return Models.Open(path);
    }

    private static MemoryStream Bytes(BaseWeights original, BaseWeights tuned)
    {
        Assert.True(LoraExtraction.TryRun(original, tuned, Options with { Policy = new(6) }, out var export, out _, out _, cancellation: TestContext.Current.CancellationToken));
        var stream = new MemoryStream();
        export.Write(stream);
        return stream;
    }

    private (Adapter Adapter, ExtractionReport Report) Extract(BaseWeights original, BaseWeights tuned, ExtractionOptions options)
    {
        Assert.True(LoraExtraction.TryRun(original, tuned, options, out var export, out var report, out var problems, cancellation: TestContext.Current.CancellationToken), string.Join('\n', problems));
        var path = Path.Combine(folder.Path, Guid.NewGuid().ToString("N"));
        export.Save(Directory.CreateDirectory(path).FullName);
        return (AdapterReader.Open(path), report);
    }
}

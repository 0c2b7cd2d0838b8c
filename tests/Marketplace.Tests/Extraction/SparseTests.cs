using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Extraction;

public sealed class SparseTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Path => System.IO.Path.Combine(folder.Path, "delta.safetensors");

    [Fact]
    public void The_recorded_example_of_a_column_major_position_holds()
    {
        // numpy.ravel_multi_index((1, 2, 1), (3, 4, 2), order="F") = 19, order="C" = 13
        Assert.Equal(13, LinearIndex.ToRowMajor([3, 4, 2], 19));
        Assert.Equal(19, LinearIndex.ToColumnMajor([3, 4, 2], 13));
    }

    [Fact]
    public void Column_major_positions_are_those_of_the_coordinates() =>
        Gen.Select(Gen.Long[1, 6].Array[1, 4], Gen.Int[0, 100_000]).Sample((shape, seed) =>
        {
            var random = new Random(seed);
            long[] at = [.. shape.Select(d => random.NextInt64(d))];
            var (row, column, stride) = (0L, 0L, 1L);
            for (var i = 0; i < shape.Length; i++)
            {
                row = (row * shape[i]) + at[i];
                column += at[i] * stride;
                stride *= shape[i];
            }

            Assert.Equal(row, LinearIndex.ToRowMajor(shape, column));
            Assert.Equal(column, LinearIndex.ToColumnMajor(shape, row));
        });

    [Fact]
    public void Steps_and_indices_are_inverse_beyond_32_bits()
    {
        long[] indices = [5, 6, 4_000_000_000, 9_000_000_000];
        Assert.Equal([5, 1, 3_999_999_994, 5_000_000_000], LinearIndex.ToSteps(indices));
        Assert.Equal(indices, LinearIndex.FromSteps(LinearIndex.ToSteps(indices)));
        Assert.Empty(LinearIndex.FromSteps([]));
    }

    [Fact]
    public void The_selection_is_that_of_a_stable_sort_by_magnitude() =>
        Gen.Select(Gen.Int[0, 1_000_000], Gen.Int[1, 120]).Sample((seed, count) =>
        {
            var random = new Random(seed);
            // Few different magnitudes of both signs, zeros among them: ties are the rule.
            var tensors = Enumerable.Range(0, 3).Select(t => ($"t{t}", Values: Enumerable.Range(0, 30).Select(_ => (random.Next(-4, 5) + 0.0) * Math.Pow(2, random.Next(-3, 3))).ToArray())).ToList();
            var expected = tensors.SelectMany(t => t.Values.Select((v, i) => (t.Item1, i, v))).Where(e => e.v != 0).OrderByDescending(e => Math.Abs(e.v)).Take(count)
                .OrderBy(e => e.Item1, StringComparer.Ordinal).ThenBy(e => e.i).ToList();
            var selected = SparseSelection.Largest(tensors.AsEnumerable().Reverse().Select(t => new DenseSource(t.Item1, [5, 6], () => t.Values)), count, cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(expected, selected.Tensors.SelectMany(t => t.Indices.Select((at, i) => (t.Name, (int)at, t.Values[i]))));
        });

    [Fact]
    public void More_entries_than_there_are_gives_all_that_differ_from_zero()
    {
        var delta = SparseSelection.Largest([new("a", [4], () => [0, 1e-300, -2, 0])], 100, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal([1L, 2L], Assert.Single(delta.Tensors).Indices);
    }

    [Fact]
    public void What_is_written_is_read_again()
    {
        var delta = new SparseDelta(
        [
            new("b.weight", [3, 4, 2], [0, 13, 23], [0.5, -1.25, 3]),
            new("a.bias", [2], [1], [7]),
            new("empty", [2], [], []),
        ]);
        SparseFile.Save(Path, delta);
        var read = SparseFile.Read(Path, out var problems)!;
        Assert.Empty(problems);
        Assert.Equal(["a.bias", "b.weight"], read.Tensors.Select(t => t.Name));
        Assert.Equal([3L, 4L, 2L], read.Find("b.weight")!.Shape);
        Assert.Equal([0L, 13L, 23L], read.Find("b.weight")!.Indices);
        Assert.Equal([0.5, -1.25, 3], read.Find("b.weight")!.Values);
        var bytes = File.ReadAllBytes(Path);
        SparseFile.Save(Path, read);
        Assert.Equal(bytes, File.ReadAllBytes(Path));
    }

    [Fact]
    public void A_converted_file_of_lt_sft_means_the_same_entries()
    {
        // Column-major 2, 19 and 20 of shape (3, 4, 2): elements (2, 0, 0), (1, 2, 1) and (2, 2, 1).
        Save(
            Longs("w.index_steps", 2, 17, 1), Longs("w.size", 3, 4, 2), TensorSource.FromDoubles("w.values", TensorType.F32, [3], () => [10, 20, 30]));
        var tensor = Assert.Single(SparseFile.Read(Path, out _)!.Tensors);
        Assert.Equal([13L, 16L, 21L], tensor.Indices);
        Assert.Equal([20, 10, 30], tensor.Values);
    }

    [Theory]
    [InlineData("pickle", WeightsProblem.PickleRefused)]
    [InlineData("garbage", WeightsProblem.ShardInvalid)]
    [InlineData("no values", SparseProblem.Unpaired)]
    [InlineData("no indices", SparseProblem.Unpaired)]
    [InlineData("stranger", SparseProblem.Unpaired)]
    [InlineData("no shape", SparseProblem.ShapeInvalid)]
    [InlineData("shape of words", SparseProblem.ShapeInvalid)]
    [InlineData("shape too large", SparseProblem.ShapeInvalid)]
    [InlineData("indices of floats", SparseProblem.IndicesInvalid)]
    [InlineData("indices descending", SparseProblem.IndicesInvalid)]
    [InlineData("indices repeated", SparseProblem.IndicesInvalid)]
    [InlineData("index beyond", SparseProblem.IndicesInvalid)]
    [InlineData("index negative", SparseProblem.IndicesInvalid)]
    [InlineData("steps that overflow", SparseProblem.IndicesInvalid)]
    [InlineData("fewer values", SparseProblem.ValuesInvalid)]
    [InlineData("values of integers", SparseProblem.ValuesInvalid)]
    [InlineData("values not finite", SparseProblem.ValuesInvalid)]
    public void A_file_that_is_no_sparse_delta_is_refused_with_its_code(string defect, string code)
    {
        var values = TensorSource.FromDoubles("w.values", TensorType.F32, [2], () => [1, 2]);
        TensorSource Indices(params long[] at) => Longs("w.indices", at);
        switch (defect)
        {
            case "pickle": File.WriteAllBytes(Path, [0x80, 2, 0x7d]); break;
            case "garbage": File.WriteAllBytes(Path, new byte[20]); break;
            case "no values": Save("3,2", Indices(0, 1)); break;
            case "no indices": Save("3,2", values); break;
            case "stranger": Save("3,2", Indices(0, 1), values, Longs("other", 1)); break;
            case "no shape": Save(Indices(0, 1), values); break;
            case "shape of words": Save("3,two", Indices(0, 1), values); break;
            case "shape too large": Save("3000000000,3000000000,3000000000", Indices(0, 1), values); break;
            case "indices of floats": Save("3,2", TensorSource.FromDoubles("w.indices", TensorType.F32, [2], () => [0, 1]), values); break;
            case "indices descending": Save("3,2", Indices(1, 0), values); break;
            case "indices repeated": Save("3,2", Indices(1, 1), values); break;
            case "index beyond": Save("3,2", Indices(1, 6), values); break;
            case "index negative": Save("3,2", Indices(-1, 0), values); break;
            case "steps that overflow": Save(Longs("w.index_steps", 1, long.MaxValue), Longs("w.size", 3, 2), values); break;
            case "fewer values": Save("3,2", Indices(0, 1, 2), values); break;
            case "values of integers": Save("3,2", Indices(0, 1), Longs("w.values", 1, 2)); break;
            default: Save("3,2", Indices(0, 1), TensorSource.FromDoubles("w.values", TensorType.F32, [2], () => [1, double.NaN])); break;
        }

        Assert.Null(SparseFile.Read(Path, out var problems));
        Assert.All(problems, p => Assert.Equal(code, p.Code));
        Assert.NotEmpty(problems);
    }

    [Fact]
    public void Sums_run_over_the_union_and_count_the_overlap()
    {
        var first = new SparseDelta([new("w", [6], [0, 2], [1, 10]), new("v", [2], [0], [5])]);
        var second = new SparseDelta([new("w", [6], [2, 5], [100, 1000])]);
        var sum = SparseDelta.Sum([(1, first), (2, second)], out var overlaps, out _)!;
        Assert.Equal(1, overlaps);
        Assert.Equal([0L, 2L, 5L], sum.Find("w")!.Indices);
        Assert.Equal([1d, 210, 2000], sum.Find("w")!.Values);
        Assert.Equal([5d], sum.Find("v")!.Values);
        Assert.Null(SparseDelta.Sum([(1, first), (1, new([new("v", [3], [0], [1])]))], out _, out var problems));
        Assert.Equal((SparseProblem.ShapesDiffer, "v"), (Assert.Single(problems).Code, problems[0].Tensor));
    }

    [Fact]
    public void All_entries_of_a_difference_applied_to_the_base_are_the_tuned_model()
    {
        using var original = Models.OpenBase("llama-tied");
        using var tuned = Tuned(original, (t, w) => t.Name.EndsWith("_proj.weight", StringComparison.Ordinal) || t.Name == "model.norm.weight" ? [.. w.Select((x, i) => i % 7 == 0 ? x + 0.5 : x)] : null);
        var delta = SparseConversion.FromModels(original, tuned, long.MaxValue, false, out var leftOut, out _, cancellation: TestContext.Current.CancellationToken)!;
        Assert.Empty(leftOut);
        SparseFile.Save(Path, delta);
        var target = System.IO.Path.Combine(folder.Path, "applied");
        using var sharded = Models.Open(System.IO.Path.Combine(Models.Base("llama-tied"), "sharded"));
        Assert.Empty(SparseConversion.Apply(SparseFile.Read(Path, out _)!, sharded, target, TestContext.Current.CancellationToken));
        using var applied = Models.Open(target);
        Assert.Equal(sharded.Files, applied.Files);
        foreach (var tensor in tuned.Tensors)
            Assert.All(tuned.Read(tensor).Zip(applied.Read(applied.Find(tensor.Name)!)), v => Assert.Equal(v.First, v.Second, 1e-6));
        Assert.Equal(ExtractionProblem.OutputExists, Assert.Single(SparseConversion.Apply(delta, sharded, target, TestContext.Current.CancellationToken)).Code);
    }

    [Fact]
    public void The_largest_changes_of_a_model_are_selected_and_the_rest_of_the_tensors_named()
    {
        using var original = Models.OpenBase("llama");
        using var tuned = Tuned(original, (t, w) => t.Name switch
        {
            "model.norm.weight" => [.. w.Select((x, i) => i == 3 ? x + 9 : x)],
            "model.layers.1.mlp.up_proj.weight" => [.. w.Select((x, i) => x + (i == 50 ? -8 : 0.001))],
            "lm_head.weight" => [.. w.Select(x => x + 100)],
            _ => null,
        });
        var delta = SparseConversion.FromModels(original, tuned, 2, false, out var leftOut, out _, cancellation: TestContext.Current.CancellationToken)!;
        Assert.Equal([("model.layers.1.mlp.up_proj.weight", 50L), ("model.norm.weight", 3L)], delta.Tensors.Select(t => (t.Name, t.Indices.Single())));
        Assert.Equal(("lm_head.weight", LeftOut.Head), (Assert.Single(leftOut).Tensor, leftOut[0].Reason));
        Assert.Equal(2, SparseConversion.FromModels(original, tuned, 2, true, out leftOut, out _, cancellation: TestContext.Current.CancellationToken)!.Find("lm_head.weight")!.Indices.Length);
        Assert.Empty(leftOut);
        Assert.Null(SparseConversion.FromModels(original, tuned, 0, true, out _, out var problems, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(SparseProblem.CountInvalid, Assert.Single(problems).Code);
    }

    [Theory]
    [InlineData("llama", "llama/plain")]
    [InlineData("gpt2", "gpt2/square_only")]
    public void Every_entry_of_an_adapter_and_back_is_the_adapter(string model, string name)
    {
        using var original = Models.OpenBase(model);
        using var adapter = AdapterReader.Open(Fixtures.Adapter(name));
        var delta = SparseConversion.FromAdapter(adapter, long.MaxValue, original, out _, TestContext.Current.CancellationToken)!;
        Assert.True(SparseConversion.TryExtract(delta, original, new("owner/base", RankPolicy.Lossless), out var export, out var report, out _, TestContext.Current.CancellationToken));
        Assert.Equal(adapter.Modules.Select(m => (m.Name, m.Out, m.In)), report.Modules.Select(m => (m.Module, m.Out, m.In)));
        Assert.Equal(1, report.KeptEnergy, 1e-12);
        var target = Directory.CreateDirectory(System.IO.Path.Combine(folder.Path, "back")).FullName;
        export.Save(target);
        using var back = AdapterReader.Open(target);
        Assert.All(adapter.Modules, m => Dense.AssertClose(Dense.Of(adapter.Delta(m.Name)!), back.Delta(m.Name)!, 1e-6));
    }

    [Fact]
    public void The_largest_entries_of_an_adapter_are_those_of_its_dense_deltas()
    {
        using var original = Models.OpenBase("gpt2");
        using var adapter = AdapterReader.Open(Fixtures.Adapter("gpt2/plain"));
        var delta = SparseConversion.FromAdapter(adapter, 500, original, out _, TestContext.Current.CancellationToken)!;
        Assert.Equal(500, delta.Count);
        var all = adapter.Modules.SelectMany(m => Dense.Of(adapter.Delta(m.Name)!).Cast<double>().Select(Math.Abs)).OrderDescending().ToList();
        var selected = delta.Tensors.SelectMany(t => t.Values.Select(Math.Abs)).OrderDescending().ToList();
        Assert.All(all.Take(500).Zip(selected), v => Assert.Equal(v.First, v.Second, 1e-12));
        foreach (var tensor in delta.Tensors)
        {
            var module = adapter.Find(ModelNaming.ModuleOf(tensor.Name)!)!;
            Assert.Equal([module.In, module.Out], tensor.Shape);
            var dense = Dense.Of(adapter.Delta(module.Name)!);
            Assert.All(tensor.Indices.Zip(tensor.Values), e => Assert.Equal(dense[e.First % module.Out, e.First / module.Out], e.Second, 1e-12));
        }
    }

    [Fact]
    public void An_adapter_that_is_more_than_its_factors_is_refused()
    {
        using var adapter = AdapterReader.Open(Fixtures.Adapter("llama/dora"));
        Assert.Null(SparseConversion.FromAdapter(adapter, 5, null, out var problems, TestContext.Current.CancellationToken));
        Assert.All(problems, p => Assert.Equal(SparseProblem.AdapterNotPlain, p.Code));
    }

    [Fact]
    public void A_delta_that_does_not_fit_the_base_is_refused_tensor_by_tensor()
    {
        using var original = Models.OpenBase("llama");
        var delta = new SparseDelta([new("model.norm.weight", [47], [0], [1]), new("nowhere.weight", [2, 2], [0], [1])]);
        (string, string)[] expected = [(WeightsProblem.ShapeMismatch, "model.norm.weight"), (WeightsProblem.TensorMissing, "nowhere.weight")];
        Assert.Equal(expected, SparseConversion.Apply(delta, original, System.IO.Path.Combine(folder.Path, "x"), TestContext.Current.CancellationToken).Select(p => (p.Code, p.Tensor!)));
        Assert.False(SparseConversion.TryExtract(delta, original, new("b", RankPolicy.Lossless), out _, out _, out var problems, TestContext.Current.CancellationToken));
        Assert.Equal(expected, problems.Select(p => (p.Code, p.Tensor!)));
    }

    public void Dispose() => folder.Dispose();

    private BaseWeights Tuned(BaseWeights original, Func<TensorInfo, double[], double[]?> change)
    {
        var path = System.IO.Path.Combine(folder.Path, Guid.NewGuid().ToString("N"));
        Models.Write(original, path, change);
        return Models.Open(path);
    }

    private static TensorSource Longs(string name, params long[] values) =>
        new(name, TensorType.I64, [values.Length], () => System.Runtime.InteropServices.MemoryMarshal.AsBytes<long>(values).ToArray());

    private void Save(params TensorSource[] tensors) => SafetensorsWriter.Save(Path, tensors);

    private void Save(string shape, params TensorSource[] tensors) => SafetensorsWriter.Save(Path, tensors, new Dictionary<string, string> { ["w.shape"] = shape });
}

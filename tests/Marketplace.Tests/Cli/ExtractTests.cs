using Marketplace.Core;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Extraction;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

public sealed class ExtractTests : IDisposable
{
    private const string Module = "model.layers.0.self_attn.q_proj";

    private readonly CliProcess cli = new();
    private readonly TemporaryFolder folder = new();
    private readonly LowRankDelta delta = Adapters.Random(new Random(1), 48, 48, 3);

    private string Output => Path.Combine(folder.Path, "out");

    [Fact]
    public async Task An_extracted_adapter_is_valid_and_the_change_that_was_made()
    {
        var run = await cli.Run("extract", "--base", Models.Base("llama"), "--tuned", Tuned(), "--output", Output, "--base-name", "owner/llama", "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        var module = Assert.Single(run.Json.GetProperty("modules").EnumerateArray().ToList());
        Assert.Equal((Module, 3), (module.GetProperty("module").GetString(), module.GetProperty("rank").GetInt32()));
        Assert.Equal("model.norm.weight", Assert.Single(run.Json.GetProperty("leftOut").EnumerateArray().ToList()).GetProperty("tensor").GetString());
        using (var adapter = AdapterReader.Open(Output))
        {
            Assert.Equal("owner/llama", adapter.Config.BaseModel);
            Dense.AssertClose(Dense.Of(delta), adapter.Delta(Module)!, 1e-5);
        }

        Assert.Equal(0, (await cli.Run("validate", Output)).ExitCode);
    }

    [Fact]
    public async Task For_people_the_report_is_a_table()
    {
        var run = await cli.Run("extract", "--base", Models.Base("llama"), "--tuned", Tuned(), "--output", Output, "--rank", "2");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Matches("module.*shape.*rank.*energy kept", run.Output);
        Assert.Contains("model.norm.weight", run.Output);
        Assert.Contains("rank 8", run.Output);
    }

    [Fact]
    public async Task Sparse_writes_the_entries_that_changed_most()
    {
        var run = await cli.Run("extract", "--base", Models.Base("llama"), "--tuned", Tuned(), "--output", Output, "--sparse", "100", "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(100, run.Json.GetProperty("entries").GetInt64());
        Assert.Equal(100, SparseFile.Read(Path.Combine(Output, SparseFile.FileName), out _)!.Count);
    }

    [Fact]
    public async Task Strict_refuses_what_a_lora_cannot_hold()
    {
        var run = await cli.Run("extract", "--base", Models.Base("llama"), "--tuned", Tuned(), "--output", Output, "--strict", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal(ExtractionProblem.ChangeNotExpressible, run.Json.GetProperty("code").GetString());
        Assert.Equal("model.norm.weight", run.Json.GetProperty("issues")[0].GetProperty("path").GetString());
        Assert.False(File.Exists(Path.Combine(Output, "adapter_config.json")));
    }

    [Theory]
    [InlineData(1, WeightsProblem.NoWeights, "samples/library/copy")]
    [InlineData(2, "usage", "no/such/folder")]
    public async Task A_folder_that_is_no_model_is_refused(int exitCode, string code, string tuned)
    {
        var run = await cli.Run("extract", "--base", Models.Base("llama"), "--tuned", Path.Combine(Fixtures.Repository, tuned), "--output", Output, "--json");
        Assert.Equal((exitCode, code), (run.ExitCode, run.Json.GetProperty("code").GetString()));
    }

    [Theory]
    [InlineData("--energy 1.5")]
    [InlineData("--rank 0")]
    [InlineData("--rank 4 --energy 0.9")]
    [InlineData("--sparse 10 --rank 4")]
    [InlineData("--skip-below -1")]
    public async Task Options_that_make_no_sense_are_bad_usage(string options)
    {
        var run = await cli.Run(["extract", "--base", Models.Base("llama"), "--tuned", Tuned(), "--output", Output, .. options.Split(' '), "--json"]);
        Assert.Equal((2, "usage"), (run.ExitCode, run.Json.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task What_is_there_already_is_not_overwritten()
    {
        Directory.CreateDirectory(Output);
        File.WriteAllText(Path.Combine(Output, "adapter_config.json"), "mine");
        var run = await cli.Run("extract", "--base", Models.Base("llama"), "--tuned", Tuned(), "--output", Output, "--json");
        Assert.Equal(2, run.ExitCode);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(Output, "adapter_config.json")));
    }

    [Fact]
    public async Task A_transfer_gives_an_adapter_for_the_new_base_or_whole_weights()
    {
        var renewed = Path.Combine(folder.Path, "new");
        using (var old = Models.OpenBase("llama"))
            Models.Write(old, renewed, (_, w) => [.. w.Select(x => 1.5 * x)]);
        string[] models = ["transfer", "--old", Models.Base("llama"), "--tuned", Tuned(), "--new", renewed, "--json"];

        var run = await cli.Run([.. models, "--output", Output, "--base-name", "owner/new"]);
        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(0.5, run.Json.GetProperty("tensors")[0].GetProperty("baseChange").GetDouble(), 1e-6);
        using (var adapter = AdapterReader.Open(Output))
            Dense.AssertClose(Dense.Of(delta), adapter.Delta(Module)!, 1e-5);

        var full = Path.Combine(folder.Path, "full");
        Assert.Equal(2, (await cli.Run([.. models, "--output", full, "--full", "--rank", "4"])).ExitCode);
        run = await cli.Run([.. models, "--output", full, "--full"]);
        Assert.True(run.ExitCode == 0, run.ToString());
        using var result = Models.Open(full);
        using var from = Models.Open(renewed);
        Assert.All(
            result.Read(result.Find(Module + ".weight")!).Zip(Models.Add(from.Read(from.Find(Module + ".weight")!), delta, false)), v => Assert.Equal(v.Second, v.First, 1e-5));

        run = await cli.Run("transfer", "--old", Models.Base("llama"), "--tuned", Tuned(), "--new", Models.Base("gpt2"), "--output", Path.Combine(folder.Path, "none"), "--json");
        Assert.Equal((1, ExtractionProblem.NewBaseMissing), (run.ExitCode, run.Json.GetProperty("code").GetString()));
    }

    public void Dispose()
    {
        cli.Dispose();
        folder.Dispose();
    }

    private string Tuned()
    {
        var path = Path.Combine(folder.Path, Guid.NewGuid().ToString("N"));
        using var weights = Models.OpenBase("llama");
        Models.Write(weights, path, (t, w) => t.Name switch
        {
            Module + ".weight" => Models.Add(w, delta, false),
            "model.norm.weight" => [.. w.Select(x => x + 0.001)],
            _ => null,
        }, type: TensorType.F64);
        return path;
    }
}

using Marketplace.Core.Formats;
using Marketplace.Kernels.Models;
using Marketplace.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Models;

/// <summary>Every adapter that PEFT wrote, applied unmerged, against what PEFT computed with it.</summary>
public class AdapterFixtureTests
{
    // What PEFT calls something else than LoRA, or whose factors belong to a changed base, is refused before it comes here.
    public static TheoryData<string> Names =>
        [.. Fixtures.Adapters.Where(a => File.Exists(Path.Combine(a, "forward.safetensors"))).Select(a => Path.GetRelativePath(Path.Combine(Fixtures.Root, "adapters"), a))];

    [Fact]
    public void There_are_all_variants() => Assert.Equal(39, Names.Count);

    [Theory]
    [MemberData(nameof(Names))]
    public void Logits_and_log_likelihoods_are_those_of_PEFT(string name)
    {
        using var scope = NewDisposeScope();
        var baseName = name.Split('/', '\\')[0];
        using var model = ModelFixture.Open(baseName);
        using var io = SafetensorsFile.Open(Path.Combine(ModelFixture.Folder(baseName), "io.safetensors"));
        using var expected = SafetensorsFile.Open(Path.Combine(Fixtures.Adapter(name), "forward.safetensors"));
        using var active = Load(model, name);
        var ids = ModelFixture.Read(io, "full.input_ids");
        using var batch = TokenBatch.Of(ModelFixture.Sequences(ids), CPU);
        var logits = model.Logits(model.Hidden(batch, active), active);
        Assert.InRange(ModelFixture.Difference(logits, ModelFixture.Read(expected, "logits")), 0, ModelFixture.Tolerance);
        Assert.True(ModelFixture.Difference(logits, ModelFixture.Read(io, "full.logits")) > 0.01, "The adapter changes nothing.");
        var likelihoods = logits.to(ScalarType.Float64).log_softmax(-1).narrow(1, 9, 6).gather(2, ids.narrow(1, 10, 6).unsqueeze(-1)).sum([1, 2]);
        Assert.InRange(ModelFixture.Difference(likelihoods, ModelFixture.Read(expected, "tail_loglik")), 0, ModelFixture.Tolerance);
    }

    [Theory]
    [InlineData("llama", "llama/plain", "gpt2/plain", WeightsProblem.AdapterUnfit)]
    [InlineData("llama", "llama/plain", "phi3/plain", WeightsProblem.AdapterUnfit)]
    public void An_adapter_of_another_model_is_refused(string baseName, string fits, string other, string code)
    {
        using var model = ModelFixture.Open(baseName);
        Load(model, fits).Dispose();
        using var adapter = AdapterReader.Open(Fixtures.Adapter(other));
        Assert.False(ActiveAdapters.TryLoad(model, adapter, out _, out var problems));
        Assert.All(problems, p => Assert.Equal(code, p.Code));
        Assert.All(problems, p => Assert.NotNull(p.Tensor));
    }

    internal static ActiveAdapters Load(LanguageModel model, string name)
    {
        using var adapter = AdapterReader.Open(Fixtures.Adapter(name));
        Assert.True(ActiveAdapters.TryLoad(model, adapter, out var active, out var problems), string.Join(' ', problems.Select(p => p.Message)));
        return active!;
    }
}

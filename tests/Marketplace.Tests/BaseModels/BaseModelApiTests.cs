using System.Text;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Storage.Jobs;
using Marketplace.Tests.Support;
using Xunit;
using static Marketplace.Tests.BaseModels.BaseModelFilesOf;

namespace Marketplace.Tests.BaseModels;

/// <summary>Base models registered with their files, over HTTP.</summary>
public sealed class BaseModelApiTests(BaseModelApiTests.Fixture fixture) : IClassFixture<BaseModelApiTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings());

    [Fact]
    public Task A_base_model_is_registered_once_and_read_by_everybody() => stack.RunAsync(async () =>
    {
        var files = Sample();
        var first = await RegisteredAsync(stack.Admin, "Lab/Sample", files);
        Assert.Equal(("baseModel", 1, DigestOf(files)), (first.Kind, first.Version!.Number, first.Version.Id));
        Assert.Empty(first.Issues!);

        var view = await stack.Anonymous.GetAsync<BaseModelWeightsView>("/base-models/lab/sample/weights");
        Assert.Equal(("Lab/Sample", 1, DigestOf(files), "llama", true, true), (view.BaseModel, view.Number, view.Digest, view.Architecture, view.Stored, view.HasTokenizer));
        Assert.Equal(files.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => (f.Key, (long)f.Value.Length, Digest.Of(f.Value).Hex)), view.Files.Select(f => (f.Path, f.Size, f.Sha256)));
        Assert.Equal(files.Sum(f => f.Value.Length), view.Size);

        // The same bytes are the same registration; others are a new one, and the old one stays.
        Assert.Equal(1, (await RegisteredAsync(stack.Admin, "lab/sample", files)).Version!.Number);
        files["tokenizer_config.json"] = "{}"u8.ToArray();
        var second = await RegisteredAsync(stack.Admin, "lab/sample", files);
        Assert.Equal((2, DigestOf(files)), (second.Version!.Number, second.Version.Id));
        view = await stack.Anonymous.GetAsync<BaseModelWeightsView>("/base-models/lab/sample/weights");
        Assert.Equal([2, 1], view.Registrations.Select(r => r.Number));
        foreach (var version in new[] { "1", first.Version.Id })
            Assert.Equal(first.Version.Id, (await stack.Anonymous.GetAsync<BaseModelWeightsView>($"/base-models/lab/sample/weights?version={version}")).Digest);
        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/base-models/lab/sample/weights?version=3")).Problem(404, "not-found");

        var listed = (await stack.Anonymous.GetAsync<ListResponse<BaseModelView>>("/base-models")).Items.Single(m => m.Id == "Lab/Sample");
        Assert.Equal((2, second.Version.Id), (listed.Weights!.Number, listed.Weights.Digest));

        // A word stands for it once an admin says so.
        await stack.Admin.PostAsync<ConfirmAliasResponse>("/base-models/aliases", new ConfirmAliasRequest("other/sample", "lab/sample", Everybody: true), 200);
        Assert.Equal(2, (await stack.Anonymous.GetAsync<BaseModelWeightsView>("/base-models/other/sample/weights")).Number);
    });

    [Fact]
    public Task Registered_files_are_laid_out_for_whoever_computes_and_the_sweep_leaves_them() => stack.RunAsync(async () =>
    {
        var cancel = TestContext.Current.CancellationToken;
        var files = Sharded();
        Assert.Equal("published", (await RegisterAsync(stack.Admin, "lab/sharded", files)).State);
        await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow.AddDays(3), cancel);

        using var folder = new TemporaryFolder();
        var models = Files(null);
        var found = (await models.FindAsync("LAB/sharded", null, cancel))!;
        Assert.Equal(DigestOf(files), found.Digest.Hex);
        Assert.True(BaseWeights.TryOpen(found.Folder, out var weights, out var problems), string.Join(' ', problems));
        using (weights)
            Assert.Equal(2, weights.Files.Count());
        Assert.Null(await models.FindAsync("lab/absent", null, cancel));
        Assert.Null(await models.FindAsync("lab/sharded", Digest.Of("x"u8), cancel));

        // A mounted folder comes first unless other bytes are asked for; its digest follows its files.
        var mounted = Directory.CreateDirectory(Path.Combine(folder.Path, "mounted", "lab", "sharded")).FullName;
        foreach (var file in Directory.GetFiles(SampleFolder))
            File.Copy(file, Path.Combine(mounted, Path.GetFileName(file)));
        models = Files(Path.Combine(folder.Path, "mounted"));
        Assert.Equal((mounted, DigestOf(Sample())), ((await models.FindAsync("lab/sharded", null, cancel))!.Folder, (await models.FindAsync("lab/sharded", null, cancel))!.Digest.Hex));
        Assert.Equal(found.Folder, (await models.FindAsync("lab/sharded", found.Digest, cancel))!.Folder);
        await File.AppendAllTextAsync(Path.Combine(mounted, "tokenizer.json"), " ", cancel);
        Assert.NotEqual(DigestOf(Sample()), (await models.FindAsync("lab/sharded", null, cancel))!.Digest.Hex);

        BaseModelFiles Files(string? path) => new(stack.Storage.Registrations, stack.Storage.Content, new(path), Path.Combine(folder.Path, "kept"), 1 << 30);
    });

    public static TheoryData<string> Broken => [.. Breaks.Keys];

    private static readonly Dictionary<string, Action<Dictionary<string, byte[]>>> Breaks = new()
    {
        [WeightsProblem.ArchitectureUnknown] = f => f["config.json"] = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(f["config.json"]).Replace("\"llama\"", "\"mamba\"", StringComparison.Ordinal)),
        [BaseModelInspection.ConfigMissing] = f => f.Remove("config.json"),
        [WeightsProblem.ConfigInvalid] = f => f["config.json"] = "[]"u8.ToArray(),
        [BaseModelInspection.JsonInvalid] = f => f["tokenizer.json"] = "{"u8.ToArray(),
        [WeightsProblem.PickleRefused] = f => f["model-00001-of-00002.safetensors"] = [.. "PK\u0003\u0004"u8, .. new byte[100]],
        [WeightsProblem.ShardMissing] = f => f.Remove("model-00002-of-00002.safetensors"),
        [WeightsProblem.ShardInvalid] = f => f["model-00002-of-00002.safetensors"] = f["model-00002-of-00002.safetensors"][..^8],
        [WeightsProblem.TensorMissing] = f => f["model.safetensors.index.json"] =
            Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(f["model.safetensors.index.json"]).Replace("model.norm.weight", "model.norm.bias", StringComparison.Ordinal)),
        [WeightsProblem.IndexInvalid] = f => f["model.safetensors.index.json"] = "{}"u8.ToArray(),
        [WeightsProblem.NoWeights] = f => Array.ForEach([.. f.Keys.Where(k => k.StartsWith("model", StringComparison.Ordinal))], k => f.Remove(k)),
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public Task What_can_t_be_computed_with_is_refused_with_its_code(string code) => stack.RunAsync(async () =>
    {
        var files = Sharded();
        Breaks[code](files);
        var status = await RegisterAsync(stack.Admin, "lab/broken", files);
        Assert.Equal(("rejected", code), (status.State, status.Issues!.First(i => i.Severity == "error").Code));
        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/base-models/lab/broken/weights")).Problem(404, "not-found");
        Assert.DoesNotContain((await stack.Anonymous.GetAsync<ListResponse<BaseModelView>>("/base-models")).Items, m => m.Id == "lab/broken");
        using var folder = new TemporaryFolder();
        foreach (var (name, bytes) in files)
            await File.WriteAllBytesAsync(Path.Combine(folder.Path, name), bytes, TestContext.Current.CancellationToken);
        Assert.Contains(code, BaseModelInspection.OfFolder(folder.Path).Finish().Select(p => p.Code));
    });

    [Fact]
    public Task Only_an_admin_registers_and_only_a_base_models_files_are_taken() => stack.RunAsync(async () =>
    {
        var ann = await stack.AccountAsync("ann");
        var request = new RegisterBaseModelRequest("ann/model", [new("config.json", 2), new("pytorch_model.bin", 2), new("../model.safetensors", 2), new("sub/model.safetensors", 2)]);
        (await ann.SendAsync(HttpMethod.Post, "/base-models", request)).Problem(403, "forbidden");
        (await stack.Anonymous.SendAsync(HttpMethod.Post, "/base-models", request)).Problem(401, "unauthenticated");
        var issues = (await stack.Admin.SendAsync(HttpMethod.Post, "/base-models", request)).Problem(400, "invalid-request").Issues!;
        Assert.Equal(["files[1].path", "files[2].path", "files[3].path"], issues.Select(i => i.Path).Distinct().Order());
        Assert.Equal("baseModel", Assert.Single((await stack.Admin.SendAsync(HttpMethod.Post, "/base-models", request with { BaseModel = "gpt2", Files = [new("config.json", 2)] }))
            .Problem(400, "invalid-request").Issues!).Path);

        // An upload is its owner's alone, as every upload.
        var ticket = await stack.Admin.PostAsync<UploadTicket>("/base-models", request with { Files = [new("config.json", 2)] }, 201);
        (await ann.SendAsync(HttpMethod.Get, $"/uploads/{ticket.UploadId}")).Problem(404, "not-found");
        (await stack.Admin.SendAsync(HttpMethod.Post, $"/uploads/{ticket.UploadId}/complete")).Problem(409, "conflict");
        Assert.Equal(204, (await stack.Admin.SendAsync(HttpMethod.Delete, $"/uploads/{ticket.UploadId}")).Status);
    });
}

using System.Diagnostics;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>With huggingface_hub, its command <c>hf</c>, transformers and PEFT, where the environment variable names a Python that has them.</summary>
public sealed class PythonClientTests(HubClientTests.Fixture fixture) : HubClientTests(fixture), IClassFixture<HubClientTests.Fixture>
{
    private protected override Task<HubClient> StartAsync(StackApi caller) => Task.FromResult(HubClient.Python(Stack.Address, caller.Key, Home));

    private protected override async Task AssertMissingAsync(HubClient client, string name)
    {
        Assert.Equal("RepositoryNotFoundError", (await client.FailAsync("info", new { name = "acme/nobody-has-this" })).Kind);
        Assert.Equal("RevisionNotFoundError", (await client.FailAsync("info", new { name, revision = "no-such-tag" })).Kind);
        Assert.Equal("RepositoryNotFoundError", (await client.FailAsync("download", new { name = "acme/nobody-has-this", path = "README.md" })).Kind);
        Assert.Equal("RevisionNotFoundError", (await client.FailAsync("download", new { name, path = "README.md", revision = "no-such-tag" })).Kind);
        Assert.Equal("RemoteEntryNotFoundError", (await client.FailAsync("download", new { name, path = "absent.json" })).Kind);
        Assert.Equal("RepositoryNotFoundError", (await client.FailAsync("snapshot", new { name = "acme/nobody-has-this" })).Kind);
    }

    [Fact]
    public Task Versions_have_tags_and_repositories_become_private() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var stranger = await ClientAsync(Stranger);
        var name = Name("tags");
        await client.CallAsync("createRepo", new { name });
        await client.CallAsync("createRepo", new { name, existOk = true });
        var first = (string)(await client.CallAsync("commit", new { name, files = Base64(Adapter(40)) }))["commit"]!;
        await client.CallAsync("tag", new { name, tag = "release-1" });
        Assert.Equal(409, (await client.FailAsync("tag", new { name, tag = "release-1" })).Status);
        var second = (string)(await client.CallAsync("commit", new { name, files = Base64(Adapter(41)) }))["commit"]!;
        var refs = await client.CallAsync("refs", new { name });
        Assert.Equal((second, first), ((string)refs["branches"]!["main"]!, (string)refs["tags"]!["release-1"]!));
        await AssertFilesAsync(client, name, "release-1", Adapter(40));
        await AssertSnapshotAsync(client, name, "release-1", Adapter(40));
        await client.CallAsync("untag", new { name, tag = "release-1" });
        Assert.Equal("RevisionNotFoundError", (await client.FailAsync("info", new { name, revision = "release-1" })).Kind);

        Assert.True((bool)(await stranger.CallAsync("repoExists", new { name }))["exists"]!);
        await client.CallAsync("visibility", new { name, isPrivate = true });
        Assert.False((bool)(await stranger.CallAsync("repoExists", new { name }))["exists"]!);
        Assert.Equal("RepositoryNotFoundError", (await stranger.FailAsync("download", new { name, path = "README.md", revision = first })).Kind);
    });

    [Fact]
    public Task The_command_hf_uploads_and_downloads() => Stack.RunAsync(async () =>
    {
        using var folder = new TemporaryFolder();
        var (name, files) = (Name("hf"), Adapter(42));
        foreach (var (path, bytes) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder.Path, "in", path))!);
            await File.WriteAllBytesAsync(Path.Combine(folder.Path, "in", path), bytes);
        }

        Assert.Contains("acme", await HfAsync("auth", "whoami"), StringComparison.Ordinal);
        await HfAsync("upload", name, Path.Combine(folder.Path, "in"), ".");
        await HfAsync("download", name, "--local-dir", Path.Combine(folder.Path, "out"));
        foreach (var (path, bytes) in files)
            Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(folder.Path, "out", path)));
        await HfAsync("upload-large-folder", Name("hf-large"), Path.Combine(folder.Path, "in"), "--type", "model");
    });

    [Fact]
    public Task Peft_loads_an_adapter_by_its_name_a_smaller_rank_and_a_member_of_a_collection() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        string Sample(string name) => Path.Combine(Fixtures.Repository, "samples", name);
        var (copy, prose, residual, all) = (Name("copy"), Name("prose"), Name("residual"), Name("residuals"));
        foreach (var (name, sample) in new[] { (copy, "copy"), (prose, "prose") })
        {
            await client.CallAsync("createRepo", new { name });
            await client.CallAsync("uploadFolder", new { name, folder = Sample($"library/{sample}") });
        }

        var local = await client.CallAsync("generate", new { @base = Sample("base"), adapter = Sample("library/copy") });
        var remote = await client.CallAsync("generate", new { @base = Sample("base"), adapter = copy });
        Assert.True((double)local["change"]! > 1e-3);
        Assert.Equal((string)local["digest"]!, (string)remote["digest"]!);

        var request = new SubtractionBatchRequest([new(prose, 1)], new(all, residual.Split('/')[1]), Targets: [$"{copy}@main"]);
        var job = await Owner.EndedAsync((await Owner.PostAsync<JobView>("/subtractions/batch", request, 202)).JobId);
        Assert.Equal("succeeded", job.Status);
        var alone = await client.CallAsync("generate", new { @base = Sample("base"), adapter = residual });
        var collection = await Owner.GetAsync<CollectionView>($"/collections/{all}");
        var files = (await client.CallAsync("list", new { name = all }))["files"]!.AsArray().Select(f => (string)f!["path"]!);
        var folder = Assert.Single(files, f => f.EndsWith("adapter_config.json", StringComparison.Ordinal)).Replace("/adapter_config.json", "", StringComparison.Ordinal);
        var member = await client.CallAsync("generate", new { @base = Sample("base"), adapter = all, subfolder = folder });
        Assert.Single(collection.Members!);
        Assert.Equal((string)alone["digest"]!, (string)member["digest"]!);
        Assert.NotEqual((string)local["digest"]!, (string)alone["digest"]!);

        var smaller = await client.CallAsync("generate", new { @base = Sample("base"), adapter = copy, revision = "main-rank2" });
        Assert.True((double)smaller["change"]! > 1e-3);
        Assert.NotEqual((string)local["digest"]!, (string)smaller["digest"]!);
    });

    [Fact]
    public Task Peft_pushes_what_it_has_in_memory_and_servers_find_what_they_load() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        string Sample(string name) => Path.Combine(Fixtures.Repository, "samples", name);
        var name = Name("pushed");
        await client.CallAsync("push", new { @base = Sample("base"), folder = Sample("library/sort"), name });
        var local = await client.CallAsync("generate", new { @base = Sample("base"), adapter = Sample("library/sort") });
        var remote = await client.CallAsync("generate", new { @base = Sample("base"), adapter = name });
        Assert.Equal((string)local["digest"]!, (string)remote["digest"]!);

        var version = await Owner.GetAsync<VersionView>($"/adapters/{name}/versions/main");
        var loaded = (await client.CallAsync("servingFiles", new { name }))["files"]!.AsObject();
        Assert.Equal(["adapter_config.json", "adapter_model.safetensors"], loaded.Select(f => f.Key).Order(StringComparer.Ordinal));
        Assert.All(loaded, f => Assert.Equal(version.Files.Single(v => v.Path == f.Key).Sha256, (string)f.Value!));
    });

    private async Task<string> HfAsync(params string[] arguments)
    {
        const string Start = "from huggingface_hub.cli.hf import main; main()";
        var info = HubClient.PythonInfo(Stack.Address, Owner.Key, Home, ["-c", Start, .. arguments]);
        info.RedirectStandardOutput = info.RedirectStandardError = true;
        using var process = Process.Start(info)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"hf {string.Join(' ', arguments)} ended with {process.ExitCode}: {await output}{await errors}");
        return await output;
    }
}

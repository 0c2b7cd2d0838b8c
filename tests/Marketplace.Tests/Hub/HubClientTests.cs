using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>The marketplace for those who use a client of the Hub: the same tests with each client, over HTTP and storage as users have them.</summary>
public abstract partial class HubClientTests(HubClientTests.Fixture fixture)
{
    [Fact]
    public Task What_was_uploaded_is_listed_described_and_downloaded_byte_for_byte() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var (name, files) = (Name("round"), Adapter(1));
        var me = await client.CallAsync("whoami", new { });
        Assert.Equal(("acme", "write"), ((string)me["name"]!, (string)me["role"]!));
        await client.CallAsync("createRepo", new { name });
        var made = await client.CallAsync("commit", new { name, files = Base64(files), message = "First" });

        var info = await client.CallAsync("info", new { name });
        Assert.Equal((name, (string)made["commit"]!, false), ((string)info["id"]!, (string)info["sha"]!, (bool)info["isPrivate"]!));
        Assert.Equal("peft", (string)info["library"]!);
        string[] tags = [.. info["tags"]!.AsArray().Select(t => (string)t!)];
        Assert.Superset(new HashSet<string> { "peft", "lora", "safetensors", "sql", "license:mit", "en", "dataset:acme/questions", $"base_model:adapter:{StackAdapters.BaseModel}" }, tags.ToHashSet());
        Assert.Equal("mit", (string)info["card"]!["license"]!);
        await AssertFilesAsync(client, name, null, files);

        var commits = await client.CallAsync("commits", new { name });
        var first = Assert.Single(commits["commits"]!.AsArray());
        Assert.Equal(((string)made["commit"]!, "First", "acme"), ((string)first!["id"]!, (string)first["title"]!, (string)first["author"]!));
        // The same to those who come by the marketplace's own API.
        var version = await Owner.GetAsync<VersionView>($"/adapters/{name}/versions/main");
        Assert.Equal((string)made["commit"]!, version.Id);
    });

    [Fact]
    public Task Weights_of_some_megabytes_travel_too() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var (name, files) = (Name("large"), Adapter(2, rank: 64, width: 1024));
        Assert.True(files["adapter_model.safetensors"].Length > 2 << 20);
        await client.CallAsync("createRepo", new { name });
        await client.CallAsync("commit", new { name, files = Base64(files) });
        await AssertFilesAsync(client, name, null, files);
        // Once more the same is no commit.
        var head = (string)(await client.CallAsync("info", new { name }))["sha"]!;
        await client.CallAsync("commit", new { name, files = Base64(files) });
        Assert.Equal(head, (string)(await client.CallAsync("info", new { name }))["sha"]!);
        Assert.Single((await client.CallAsync("commits", new { name }))["commits"]!.AsArray());
    });

    [Fact]
    public Task A_folder_is_uploaded_and_a_snapshot_of_it_is_the_same_folder() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        using var folder = new TemporaryFolder();
        var (name, files) = (Name("folder"), Adapter(3));
        foreach (var (path, bytes) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder.Path, path))!);
            await File.WriteAllBytesAsync(Path.Combine(folder.Path, path), bytes);
        }

        await client.CallAsync("createRepo", new { name });
        var made = await client.CallAsync("uploadFolder", new { name, folder = folder.Path });
        await AssertSnapshotAsync(client, name, null, files);
        await AssertSnapshotAsync(client, name, (string)made["commit"]!, files);
    });

    [Fact]
    public Task Several_commits_make_an_adapter_and_later_ones_further_versions() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var stranger = await ClientAsync(Stranger);
        var (name, files) = (Name("steps"), Adapter(4));
        await client.CallAsync("createRepo", new { name });
        foreach (var (path, bytes) in files)
        {
            // Until it is an adapter it exists for its owner only.
            Assert.False((bool)(await stranger.CallAsync("repoExists", new { name }))["exists"]!);
            await client.CallAsync("commit", new { name, files = new Dictionary<string, string> { [path] = Convert.ToBase64String(bytes) } });
            Assert.True((bool)(await client.CallAsync("fileExists", new { name, path }))["exists"]!);
            if (path == "adapter_model.safetensors")
                break;
        }

        Assert.True((bool)(await stranger.CallAsync("repoExists", new { name }))["exists"]!);
        var first = (string)(await client.CallAsync("info", new { name }))["sha"]!;
        await client.CallAsync("commit", new { name, files = Base64(new Dictionary<string, byte[]> { ["notes.md"] = [65, 66] }) });
        var second = (string)(await client.CallAsync("info", new { name }))["sha"]!;
        Assert.NotEqual(first, second);
        await client.CallAsync("deleteFiles", new { name, paths = new[] { "notes.md" } });
        Assert.False((bool)(await client.CallAsync("fileExists", new { name, path = "notes.md" }))["exists"]!);
        Assert.Equal(3, (await client.CallAsync("commits", new { name }))["commits"]!.AsArray().Count);
        // What was there at a commit stays there.
        Assert.Equal(Convert.ToBase64String([65, 66]), (string)(await client.CallAsync("download", new { name, path = "notes.md", revision = second }))["content"]!);
    });

    [Fact]
    public Task A_refused_adapter_is_refused_with_its_codes_and_what_was_there_stays() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var (name, files) = (Name("refused"), Adapter(5));
        await client.CallAsync("createRepo", new { name });
        var broken = new Dictionary<string, byte[]>(files) { ["adapter_model.safetensors"] = files["adapter_model.safetensors"][..^20] };
        var failure = await client.FailAsync("commit", new { name, files = Base64(broken) });
        Assert.Equal(400, failure.Status);
        Assert.True(failure.Message.Contains("[truncated] ", StringComparison.Ordinal), failure.Message);
        // The place: the first tensor that is cut.
        Assert.Contains("layers.1.self_attn.v_proj", failure.Message, StringComparison.Ordinal);

        var good = (string)(await client.CallAsync("commit", new { name, files = Base64(files) }))["commit"]!;
        Assert.Equal(400, (await client.FailAsync("commit", new { name, files = Base64(broken) })).Status);
        Assert.Equal(good, (string)(await client.CallAsync("info", new { name }))["sha"]!);
        await AssertFilesAsync(client, name, null, files);
    });

    [Fact]
    public Task What_is_no_adapter_is_refused_in_words() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var name = Name("model");
        await client.CallAsync("createRepo", new { name });
        var files = new Dictionary<string, byte[]> { ["config.json"] = "{\"model_type\":\"llama\"}"u8.ToArray(), ["model.safetensors"] = StackAdapters.Files(6)["adapter_model.safetensors"] };
        var failure = await client.FailAsync("commit", new { name, files = Base64(files) });
        Assert.Equal(400, failure.Status);
        Assert.Contains("adapter", failure.Message, StringComparison.OrdinalIgnoreCase);
    });

    [Fact]
    public Task Of_two_who_build_on_the_same_commit_one_wins_and_the_other_is_told() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var other = await ClientAsync(Owner, 2);
        var name = Name("race");
        await client.CallAsync("createRepo", new { name });
        var parent = (string)(await client.CallAsync("commit", new { name, files = Base64(Adapter(7)) }))["commit"]!;
        async Task<bool> TryAsync(HubClient writer, string text)
        {
            try
            {
                await writer.CallAsync("commit", new { name, parent, files = Base64(new Dictionary<string, byte[]> { ["who.txt"] = Encoding.UTF8.GetBytes(text) }) });
                return true;
            }
            catch (Exception e) when (e.Message.Contains("412", StringComparison.Ordinal))
            {
                return false;
            }
        }

        bool[] won = await Task.WhenAll(TryAsync(client, "one"), TryAsync(other, "two"));
        Assert.Single(won, w => w);
        var text = Encoding.UTF8.GetString(Convert.FromBase64String((string)(await client.CallAsync("download", new { name, path = "who.txt" }))["content"]!));
        Assert.Equal(won[0] ? "one" : "two", text);
        Assert.Equal(2, (await client.CallAsync("commits", new { name }))["commits"]!.AsArray().Count);
    });

    [Fact]
    public Task A_private_repository_does_not_exist_for_strangers() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var reader = await ClientAsync(Reader);
        var stranger = await ClientAsync(Stranger);
        var anonymous = await ClientAsync(Stack.Anonymous);
        var name = Name("secret");
        await client.CallAsync("createRepo", new { name, isPrivate = true });
        await client.CallAsync("commit", new { name, files = Base64(Adapter(8)) });
        Assert.True((bool)(await client.CallAsync("info", new { name }))["isPrivate"]!);
        await AssertFilesAsync(reader, name, null, Adapter(8));
        foreach (var outsider in new[] { stranger, anonymous })
        {
            Assert.False((bool)(await outsider.CallAsync("repoExists", new { name }))["exists"]!);
            var (hidden, absent) = (await outsider.FailAsync("info", new { name }), await outsider.FailAsync("info", new { name = "acme/nobody-has-this" }));
            Assert.Equal((absent.Kind, absent.Status), (hidden.Kind, hidden.Status));
            Assert.Equal(404, hidden.Status);
            Assert.DoesNotContain(name, (await outsider.CallAsync("models", new { owner = "acme" }))["names"]!.AsArray().Select(n => (string)n!));
        }

        Assert.Contains(name, (await client.CallAsync("models", new { owner = "acme" }))["names"]!.AsArray().Select(n => (string)n!));
    });

    [Fact]
    public Task Who_may_not_write_is_told_so() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var reader = await ClientAsync(Reader);
        var stranger = await ClientAsync(Stranger);
        var anonymous = await ClientAsync(Stack.Anonymous);
        var impostor = await ClientAsync(Stack.Caller("hf_" + new string('x', 37)));
        var name = Name("mine");
        await client.CallAsync("createRepo", new { name });
        await client.CallAsync("commit", new { name, files = Base64(Adapter(9)) });
        var files = Base64(new Dictionary<string, byte[]> { ["note.txt"] = [1] });
        Assert.Equal("read", (string)(await reader.CallAsync("whoami", new { }))["role"]!);
        Assert.Equal(403, (await reader.FailAsync("commit", new { name, files })).Status);
        Assert.Equal(403, (await stranger.FailAsync("commit", new { name, files })).Status);
        Assert.Equal(403, (await stranger.FailAsync("createRepo", new { name = Name("theirs") })).Status);
        Assert.Equal(401, (await anonymous.FailAsync("commit", new { name, files })).Status);
        Assert.Equal(401, (await impostor.FailAsync("info", new { name })).Status);
        Assert.Equal(403, (await stranger.FailAsync("deleteRepo", new { name })).Status);
        await AssertFilesAsync(client, name, null, Adapter(9));
    });

    [Fact]
    public Task A_deleted_repository_is_gone_and_its_name_free() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var name = Name("gone");
        await client.CallAsync("createRepo", new { name });
        Assert.Equal(409, (await client.FailAsync("createRepo", new { name })).Status);
        await client.CallAsync("commit", new { name, files = Base64(Adapter(10)) });
        await client.CallAsync("deleteRepo", new { name });
        Assert.False((bool)(await client.CallAsync("repoExists", new { name }))["exists"]!);
        Assert.Equal(404, (await client.FailAsync("info", new { name })).Status);
        Assert.Equal(404, (await client.FailAsync("deleteRepo", new { name })).Status);

        await client.CallAsync("createRepo", new { name });
        await client.CallAsync("commit", new { name, files = Base64(Adapter(11)) });
        await AssertFilesAsync(client, name, null, Adapter(11));
    });

    [Fact]
    public Task Repositories_are_found_by_owner_words_and_tags_over_pages() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var mark = RandomNumberGenerator.GetHexString(8, lowercase: true);
        string[] names = [.. Enumerable.Range(0, 3).Select(i => $"acme/find-{mark}-{i}")];
        foreach (var (name, index) in names.Select((n, i) => (n, i)))
        {
            await client.CallAsync("createRepo", new { name });
            var files = Adapter(20 + index);
            files["README.md"] = Encoding.UTF8.GetBytes($"---\ntags: [mark-{mark}, odd-{index % 2}]\n---\n");
            await client.CallAsync("commit", new { name, files = Base64(files) });
        }

        async Task<string[]> FoundAsync(object query) => [.. (await client.CallAsync("models", query))["names"]!.AsArray().Select(n => (string)n!).Order(StringComparer.Ordinal)];
        Assert.Equal(names, await FoundAsync(new { query = mark }));
        Assert.Equal(names, await FoundAsync(new { owner = "acme", tags = new[] { $"mark-{mark}" } }));
        Assert.Equal([names[1]], await FoundAsync(new { tags = new[] { $"mark-{mark}", "odd-1" } }));
        Assert.Equal(2, (await FoundAsync(new { query = mark, limit = 2 })).Length);
        Assert.Empty(await FoundAsync(new { owner = "strange", query = mark }));
    });

    [Fact]
    public Task What_is_not_there_is_told_apart() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var name = Name("errors");
        await client.CallAsync("createRepo", new { name });
        await client.CallAsync("commit", new { name, files = Base64(Adapter(12)) });
        await AssertMissingAsync(client, name);
    });

    [Fact]
    public Task Residuals_and_smaller_ranks_are_repositories_and_revisions() => Stack.RunAsync(async () =>
    {
        var client = await ClientAsync(Owner);
        var (target, general, output, all) = (Name("target"), Name("general"), Name("residual"), Name("residuals"));
        foreach (var (name, seed) in new[] { (target, 13), (general, 14) })
        {
            await client.CallAsync("createRepo", new { name });
            await client.CallAsync("commit", new { name, files = Base64(StackAdapters.Files(seed, rank: 4)) });
        }

        var request = new SubtractionBatchRequest([new(general, 1)], new(all, output.Split('/')[1]), Targets: [$"{target}@main"]);
        var job = await Owner.PostAsync<JobView>("/subtractions/batch", request, 202);
        Assert.Equal("succeeded", (await Owner.EndedAsync(job.JobId)).Status);

        var residual = await Owner.GetAsync<VersionView>($"/adapters/{output}/versions/main");
        var published = await FilesAsync(residual);
        Assert.Contains("README.md", published.Keys);
        await AssertFilesAsync(client, output, null, published);
        await AssertSnapshotAsync(client, output, null, published);
        var card = (await client.CallAsync("info", new { name = output }))["card"]!;
        Assert.Equal(StackAdapters.BaseModel, (string?)card["base_model"]);

        // The collection that the job made is a repository too.
        var folder = (string)(await client.CallAsync("snapshot", new { name = all }))["folder"]!;
        var weights = Assert.Single(Directory.GetFiles(folder, "adapter_model.safetensors", SearchOption.AllDirectories));
        Assert.Equal(published["adapter_model.safetensors"], await File.ReadAllBytesAsync(weights));

        var rank = await Owner.GetAsync<RankView>($"/adapters/{target}/versions/main/ranks/2");
        var small = (string)(await client.CallAsync("snapshot", new { name = target, revision = "main-rank2" }))["folder"]!;
        foreach (var file in rank.Files)
            Assert.Equal(file.Sha256, Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(small, file.Path)))));
        Assert.True(rank.Truncated);
    });

    /// <summary>How this client tells an absent repository, revision and file apart.</summary>
    private protected abstract Task AssertMissingAsync(HubClient client, string name);
}

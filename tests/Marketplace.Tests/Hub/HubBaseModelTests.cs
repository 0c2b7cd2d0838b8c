using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Base models registered by commits: an admin's business.</summary>
public sealed class HubBaseModelTests(HubBaseModelTests.Fixture fixture) : IClassFixture<HubBaseModelTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings());

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public Task An_admin_registers_a_base_model_by_committing_it() => stack.RunAsync(async () =>
    {
        var admin = stack.Admin;
        var files = Model();
        await admin.CreatedAsync("org/base");
        // Configuration and tokenizer first, as a draft; then the weights, as an object.
        var draft = await admin.CommittedAsync("org/base", new HubLines().Files(files.Where(f => f.Key != BaseModelManifest.Weights).ToDictionary()));
        Assert.Equal(draft, await admin.ShaAsync("org/base"));
        (await stack.Anonymous.InfoAsync("org/base")).Refusal(404, "RepoNotFound");
        var weights = files[BaseModelManifest.Weights];
        await admin.SendObjectAsync("org/base", weights);
        var answer = await admin.CommitAsync("org/base", new HubLines("Register", draft).Lfs(BaseModelManifest.Weights, HubCalls.Oid(weights), weights.Length).File("README.md", "# Base"u8.ToArray()));
        Assert.True(answer.Status == 200, answer.Body);
        Assert.Contains("README.md", (string)answer.Json()["hookOutput"]!, StringComparison.Ordinal);

        var registered = (await stack.Storage.Registrations.NewestAsync("org/base", Ct))!;
        Assert.Equal((1, "admin"), (registered.Number, registered.RegisteredBy));
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), registered.Files.Select(f => f.Path));
        Assert.Equal(BaseModelManifest.Of(files.Select(f => new BaseModelFile(f.Key, Digest.Of(f.Value), f.Value.Length))).Digest, registered.Digest);
        Assert.Empty(await stack.Storage.LfsObjects.ListAsync("admin", Digest.Of(weights), Ct));
        await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow.AddDays(3), Ct);
        Assert.True(await stack.Storage.Content.ExistsAsync(Digest.Of(weights), Ct));

        // The same again is no registration; another configuration is one.
        var commit = (string)answer.Json()["commitOid"]!;
        foreach (var reader in new[] { admin, stack.Anonymous })
            Assert.Equal((commit, string.Join(' ', files.Keys.Order(StringComparer.Ordinal))), (await reader.ShaAsync("org/base"), string.Join(' ', await reader.PathsAsync("org/base"))));
        Assert.Null(await admin.OfferedAsync("org/base", HubCalls.Oid(weights), weights.Length));
        Assert.Equal(commit, await admin.CommittedAsync("org/base", new HubLines().File("config.json", files["config.json"])));
        var changed = await admin.CommittedAsync("org/base", new HubLines(parent: commit).File("generation_config.json", "{\"max_new_tokens\": 8}"u8.ToArray()));
        Assert.NotEqual(commit, changed);
        Assert.Equal(changed, await stack.Anonymous.ShaAsync("org/base"));
        Assert.Equal(2, (await stack.Storage.Registrations.NewestAsync("org/base", Ct))!.Number);
        Assert.Contains("[", (await admin.CommitAsync("org/base", new HubLines().File("config.json", "{"u8.ToArray()))).Refusal(400), StringComparison.Ordinal);
        Assert.Contains("adapter_config.json", (await admin.CommitAsync("org/base", new HubLines().Files(StackAdapters.Files(1)))).Refusal(400), StringComparison.Ordinal);
    });

    [Fact]
    public Task Nobody_else_does() => stack.RunAsync(async () =>
    {
        var ann = await stack.AccountAsync("ann");
        await ann.CreatedAsync("ann/model");
        Assert.Contains("admin", (await ann.CommitAsync("ann/model", new HubLines().Files(Model()))).Refusal(400), StringComparison.Ordinal);
        // Not even in the namespace of the account itself, once an admin has begun.
        await stack.Admin.CreatedAsync("ann/given");
        Assert.Contains("admin", (await ann.CommitAsync("ann/given", new HubLines().Files(StackAdapters.Files(2)))).Refusal(403), StringComparison.Ordinal);
        (await (await stack.AccountAsync("bob")).CommitAsync("ann/given", new HubLines().Files(Model()))).Refusal(404, "RepoNotFound");
        (await stack.Admin.CreateAsync("ann/private", isPrivate: true)).Refusal(400);
        // An admin's own adapters are adapters.
        await stack.Admin.CreatedAsync("admin/adapter");
        await stack.Admin.CommittedAsync("admin/adapter", new HubLines().Files(StackAdapters.Files(3)));
        Assert.NotNull(await stack.Storage.Versions.NewestAsync(AdapterId.Parse("admin/adapter"), Ct));
        (await stack.Admin.CommitAsync("admin/adapter", new HubLines().Delete("adapter_config.json").Delete("adapter_model.safetensors").Files(Model()))).Refusal(400);
    });

    private static string Folder { get; } = Path.Combine(Fixtures.Repository, "samples", "base");

    private static Dictionary<string, byte[]> Model() =>
        BaseModelManifest.FilesIn(Folder).ToDictionary(name => name, name => File.ReadAllBytes(Path.Combine(Folder, name)));
}

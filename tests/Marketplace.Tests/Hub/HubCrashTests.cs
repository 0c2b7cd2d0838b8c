using Marketplace.Core;
using Marketplace.Tests.Crashes;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>The functions' process killed at every write of a commit that is not one of every publish, and started again; its client sends the commit again, as clients do that hear nothing.</summary>
public sealed class HubCrashTests(HubCrashTests.Stacks stacks) : IClassFixture<HubCrashTests.Stacks>
{
    // A commit whose process died is taken up after seconds.
    public sealed class Stacks(AzuriteFixture azurite) : CrashStacks(azurite, new StackSettings
    {
        FunctionsThroughProxy = true,
        Environment = new Dictionary<string, string> { ["Marketplace__HubCommitWait"] = "00:00:02" },
    });

    public static TheoryData<CommitWrite> Points => [.. Enum.GetValues<CommitWrite>()];

    [Theory]
    [MemberData(nameof(Points))]
    public Task A_commit_killed_at_a_write_ends_as_if_undisturbed(CommitWrite write) => stacks.BothAsync(async (stack, afterwards) =>
    {
        var (files, name) = (StackAdapters.Files(seed: 300 + (int)write, card: "Killed"), $"kit/killed-{write}".ToLowerInvariant());
        var owner = await stack.AccountAsync("kit");
        await owner.CreatedAsync(name);
        await owner.SendObjectAsync(name, files["adapter_model.safetensors"]);
        var draft = await owner.CommittedAsync(name, new HubLines().File("notes.txt", [1, 2, 3]));
        var lines = new HubLines("Adapter")
            .File("adapter_config.json", files["adapter_config.json"]).File("README.md", files["README.md"])
            .Lfs("adapter_model.safetensors", HubCalls.Oid(files["adapter_model.safetensors"]), files["adapter_model.safetensors"].Length);
        var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var calls = 0;
        using (stack.Proxy.On(call => IsAt(write, call, stack.Namespace) && Interlocked.Increment(ref calls) == 1, async call =>
        {
            if (afterwards)
                await call.ForwardAsync();
            await stack.Functions.KillAsync();
            call.Abort();
            killed.SetResult();
        }))
        {
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => owner.CommitAsync(name, lines));
            await killed.Task.WaitAsync(TimeSpan.FromSeconds(60));
            await stack.StartFunctionsAsync();
        }

        // Before the verdict the same commit is the same id; afterwards it changes nothing.
        owner = stack.Caller(owner.Key);
        var commit = "";
        for (var attempt = 0; commit.Length == 0; attempt++)
        {
            var answer = await owner.CommitAsync(name, lines);
            Assert.True(answer.Status == 200 || (answer.Status == 409 && attempt < 20), $"{answer.Status}: {answer.Body}");
            commit = answer.Status == 200 ? (string)answer.Json()["commitOid"]! : "";
        }

        var id = AdapterId.Parse(name);
        for (var attempt = 0; await stack.Storage.Versions.NewestAsync(id) is null || await stack.Storage.Repositories.GetAsync(id) is not null; attempt++)
        {
            Assert.True(attempt < 600, "The commit never became a version, or left something beside it.");
            await Task.Delay(50);
        }

        var version = Assert.Single(await stack.Storage.Versions.ListAsync(id));
        Assert.Equal(commit, version.Id);
        Assert.NotEqual(draft, commit);
        Assert.Equal(["README.md", "adapter_config.json", "adapter_model.safetensors", "notes.txt"], version.Files.Select(f => f.Path));
        Assert.Equal(commit, await stack.Anonymous.ShaAsync(name));
        await stack.Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow.AddDays(3));
        foreach (var file in version.Files)
            Assert.Equal(file.Digest, Digest.Of(await owner.DownloadAsync(new(name, 1, commit), file.Path)));
        // Nothing of the draft is charged any more once accounts are recounted.
        await stack.Storage.Recount.RunAsync(DateTimeOffset.UtcNow.AddDays(3));
        Assert.True((await stack.Storage.Usage.GetAsync("kit")).Published.Bytes >= version.Files.Sum(f => f.Size));
    });

    private static bool IsAt(CommitWrite write, StackStorageCall call, string prefix)
    {
        bool Row(string table, string method) => call.Method == method && (call.Path == $"/{prefix}{table}" || call.Path.StartsWith($"/{prefix}{table}(", StringComparison.Ordinal));
        return write switch
        {
            CommitWrite.Seal => call.Method == "PUT" && call.Path.StartsWith($"/{prefix}-staging/lfs/", StringComparison.Ordinal) && call.Operation == "blocklist",
            CommitWrite.Upload => Row("uploads", "POST"),
            CommitWrite.Pending => Row("repositories", "PUT") && call.Text.Contains("Pending", StringComparison.Ordinal),
            CommitWrite.Queued => Row("uploads", "PUT") && call.Text.Contains("\"State\":\"Queued\"", StringComparison.Ordinal),
            CommitWrite.Version => Row("versions", "POST"),
            CommitWrite.Outcome => Row("uploads", "PUT") && call.Text.Contains("\"State\":\"Published\"", StringComparison.Ordinal),
            CommitWrite.Settled => Row("repositories", "DELETE"),
            _ => throw new ArgumentOutOfRangeException(nameof(write)),
        };
    }
}

/// <summary>Writes of a commit, in their order.</summary>
public enum CommitWrite
{
    /// <summary>A staged block becomes its blob's content.</summary>
    Seal,

    /// <summary>The upload's row.</summary>
    Upload,

    /// <summary>The repository's record names it.</summary>
    Pending,

    /// <summary>It may be validated.</summary>
    Queued,

    /// <summary>The version's row.</summary>
    Version,

    /// <summary>The upload's outcome.</summary>
    Outcome,

    /// <summary>The record is over.</summary>
    Settled,
}

using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>Collections in storage, the garbage they leave, and how many versions one job may be for.</summary>
public sealed class CollectionStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private static readonly Caller Alice = new("alice", KeyScope.Publish);

    [Fact]
    public async Task A_collection_made_anew_replaces_the_earlier_one_whose_body_is_swept()
    {
        await PublishAsync(Request("alice/a", "u1"));
        await PublishAsync(Request("alice/b", "u2"));
        await Storage.Collections.PutAsync(Collection("alice/set", "01", "alice/a"), Ct);
        await Storage.Collections.PutAsync(Collection("Alice/Set", "02", "alice/a", "alice/b"), Ct);

        var found = (await Storage.Collections.GetAsync(Id("ALICE/set"), Alice, Ct))!;
        Assert.Equal(("02", 2), (found.JobId, found.Members.Length));
        Assert.Single(await Storage.Collections.ListAsync("alice", Alice, Ct));

        Assert.Equal(0, (await Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow, Ct)).CollectionBodies);
        Assert.Equal(1, (await Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow + TimeSpan.FromDays(3), Ct)).CollectionBodies);
        Assert.Equal(2, (await Storage.Collections.GetAsync(Id("alice/set"), Alice, Ct))!.Members.Length);
        Assert.Equal(0, (await Storage.Sweep.SweepAsync(DateTimeOffset.UtcNow + TimeSpan.FromDays(3), Ct)).CollectionBodies);
    }

    [Fact]
    public async Task Two_jobs_that_write_one_name_leave_one_collection_whole()
    {
        await PublishAsync(Request("alice/a", "u1"));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Storage.Collections.PutAsync(Collection("alice/set", $"0{i}", "alice/a"), Ct)));
        var found = (await Storage.Collections.GetAsync(Id("alice/set"), Alice, Ct))!;
        Assert.Equal($"request of {found.JobId}", found.RequestJson);
    }

    [Fact]
    public async Task A_private_collection_exists_for_its_owner_and_a_private_member_is_shown_to_its_own()
    {
        await PublishAsync(Request("alice/a", "u1"));
        await PublishAsync(Request("alice/b", "u2"));
        await Storage.Catalogue.SetVisibilityAsync(Id("alice/b"), isPrivate: true, ct: Ct);
        await Storage.Collections.PutAsync(Collection("alice/open", "01", "alice/a", "alice/b"), Ct);
        await Storage.Collections.PutAsync(Collection("alice/closed", "02", "alice/a") with { Private = true }, Ct);
        foreach (var caller in new[] { Caller.Anonymous, new Caller("bob", KeyScope.Publish) })
        {
            Assert.Equal(["alice/open"], (await Storage.Collections.ListAsync("alice", caller, Ct)).Select(c => c.Id.ToString()));
            Assert.Null(await Storage.Collections.GetAsync(Id("alice/closed"), caller, Ct));
            Assert.Equal(["a"], (await Storage.Collections.GetAsync(Id("alice/open"), caller, Ct))!.Members.Select(m => m.Label));
        }

        Assert.Equal(2, (await Storage.Collections.ListAsync("ALICE", Alice, Ct)).Count);
        Assert.Equal(["a", "b"], (await Storage.Collections.GetAsync(Id("alice/open"), Alice, Ct))!.Members.Select(m => m.Label));
        Assert.True(await Storage.Collections.DeleteAsync(Id("alice/closed"), Ct));
        Assert.False(await Storage.Collections.DeleteAsync(Id("alice/closed"), Ct));
    }

    [Fact]
    public async Task A_job_over_as_many_versions_as_are_said_to_fit_fits_into_its_row()
    {
        Assert.True(Job(5000).Fits);
        Assert.False(Job(50_000).Fits);
        var most = Enumerable.Range(5, 40).Select(i => Job(1000 * i)).Last(j => j.Fits);
        var random = new Random(1);
        var result = new CollectionResult(
            most.Collection,
            [.. most.Items.Select(i => new CollectionResultMember(i.Label, new VersionReference($"someone/{i.Output}", 12345, random.GetHexString(40, lowercase: true)), Math.Round(random.NextDouble(), 6), -Math.Round(random.NextDouble(), 6)))], []);
        var job = new JobRecord(
            new string('a', 64), JobKind.SubtractionBatch, "someone", most.ToJson(), JobStatus.Running, 1, 1, null, false, null, null, null, default, null, null, default);
        var submitted = await Storage.Jobs.SubmitAsync(job, Ct);
        var json = System.Text.Json.JsonSerializer.Serialize(result, ApiJson.Options);
        Assert.Equal(UpdateResult.Updated, await Storage.Jobs.FinishAsync(submitted.Job, JobStatus.Succeeded, json, ct: Ct));
        var stored = (await SecondProcess().Jobs.GetAsync(job.Id, Ct))!;
        Assert.Equal((job.RequestJson, json), (stored.RequestJson, stored.ResultJson));

        static CollectionJobRequest Job(int targets) => new(
            CollectionJobRequest.Residuals, "org/base", MergeRecipe.Over("genknowsub") with { Inputs = [] }, "someone/collection", false, [new("someone/general@1")],
            [.. Enumerable.Range(0, targets).Select(i => new CollectionItem($"someone/adapter-{i:d5}@1", $"adapter-{i:d5}-residual", [new($"someone/adapter-{i:d5}@1")]))], []);
    }

    [Fact]
    public void A_part_of_a_job_counts_as_its_share_of_the_whole()
    {
        var whole = new JobProgressReporter(TimeProvider.System);
        whole.Part(2, 4, "c2").Report(1, 2, "layers.0.q_proj");
        var progress = whole.TakeNews()!;
        Assert.Equal((2, 4, "c2: layers.0.q_proj"), (progress.Done, progress.Total, progress.Current));
        Assert.NotNull(progress.EtaSeconds);
        whole.Part(3, 4, "c3").Report(0, 0, null, 1);
        Assert.Equal(0, whole.TakeNews()!.EtaSeconds);
    }

    private static CollectionRecord Collection(string name, string job, params string[] members) => new(
        Id(name), false, "org/base", CollectionJobRequest.Residuals, DateTimeOffset.UnixEpoch, job, $"request of {job}",
        [.. members.Select(m => new CollectionMember(Id(m).Name, Id(m), new VersionPointer(1, new string('0', 40))))]);
}

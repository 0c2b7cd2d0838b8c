using Marketplace.Core;
using Marketplace.Core.Evaluation;
using Marketplace.Storage;
using Marketplace.Tests.Evaluation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>Evaluation sets and results in storage: versions, who sees them, parts, and what the sweep takes.</summary>
public sealed class EvaluationStoreTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private const string Base = "org/base";

    private static readonly Caller Alice = new("alice", KeyScope.Publish);
    private static readonly Caller Bob = new("bob", KeyScope.Publish);

    private static readonly EvaluationSet Copy = TrainedFixture.Set("copy");
    private static readonly EvaluationSet Sort = TrainedFixture.Set("sort");

    [Fact]
    public async Task Equal_bytes_are_one_version_and_others_follow_without_gaps()
    {
        var (set, first) = await PublishAsync("alice/copy", Copy);
        Assert.Equal((1, Copy.Digest, 100, false), (first.Number, first.Digest, first.Items, set.Private));
        Assert.Equal(1, (await PublishAsync("Alice/COPY", Copy)).Version.Number);
        Assert.Equal(2, (await PublishAsync("alice/copy", Sort)).Version.Number);
        Assert.Equal(3, (await PublishAsync("alice/copy", Copy)).Version.Number);
        var store = SecondProcess().EvaluationSets;
        Assert.Equal([3, 2, 1], (await store.ListVersionsAsync(Id("alice/copy"), Ct)).Select(v => v.Number));
        Assert.Equal("alice/copy", (await store.GetAsync(Id("ALICE/copy"), Ct))!.Id.ToString());
        Assert.Equal(3, (await store.ResolveAsync(Id("alice/copy"), "main", Ct))!.Number);
        Assert.Equal(2, (await store.ResolveAsync(Id("alice/copy"), Sort.Digest.Hex, Ct))!.Number);
        Assert.Equal(1, (await store.ResolveAsync(Id("alice/copy"), "1", Ct))!.Number);
        Assert.Null(await store.ResolveAsync(Id("alice/copy"), "4", Ct));
        Assert.Equal(Sort.Items[7].Id, (await store.ReadAsync(Sort.Digest, Ct)).Items[7].Id);
    }

    [Fact]
    public async Task Publishers_at_once_get_numbers_of_their_own()
    {
        var sets = TrainedFixture.Tasks.Select(TrainedFixture.Set).ToList();
        await Task.WhenAll(sets.Select(s => PublishAsync("alice/set", s)));
        var versions = await Storage.EvaluationSets.ListVersionsAsync(Id("alice/set"), Ct);
        Assert.Equal([6, 5, 4, 3, 2, 1], versions.Select(v => v.Number));
        Assert.Equal(sets.Select(s => s.Digest.Hex).Order(), versions.Select(v => v.Digest.Hex).Order());
        Assert.Equal(6, (await Storage.EvaluationSets.GetAsync(Id("alice/set"), Ct))!.Main!.Number);
    }

    [Fact]
    public async Task Lists_have_what_is_public_and_what_is_the_callers_own()
    {
        await PublishAsync("alice/open", Copy);
        await PublishAsync("alice/closed", Copy, isPrivate: true);
        await PublishAsync("alice/unlisted", Copy);
        await Storage.EvaluationSets.SetListedAsync(Id("alice/unlisted"), false, Ct);
        await PublishAsync("bob/open", Sort);
        async Task<string[]> Names(Caller caller, string? owner = null) =>
            [.. (await Storage.EvaluationSets.ListAsync(caller, owner, null, 50, Ct))!.Items.Select(s => s.Id.ToString())];
        Assert.Equal(["alice/open", "bob/open"], await Names(Caller.Anonymous));
        Assert.Equal(["alice/closed", "alice/open", "alice/unlisted", "bob/open"], await Names(Alice));
        Assert.Equal(["bob/open"], await Names(Alice, "bob"));
        var first = (await Storage.EvaluationSets.ListAsync(Bob, null, null, 1, Ct))!;
        Assert.Equal("alice/open", Assert.Single(first.Items).Id.ToString());
        var second = (await Storage.EvaluationSets.ListAsync(Bob, null, first.Continuation, 1, Ct))!;
        Assert.Equal(("bob/open", null), (Assert.Single(second.Items).Id.ToString(), second.Continuation));
        Assert.Null(await Storage.EvaluationSets.GetAsync(Id("alice/closed"), Bob, Ct));
        Assert.NotNull(await Storage.EvaluationSets.GetAsync(Id("alice/unlisted"), Bob, Ct));
    }

    [Fact]
    public async Task A_result_is_seen_by_those_who_see_its_set_and_its_adapters()
    {
        await PublishAsync("alice/copy", Copy);
        await PublishAsync("alice/closed", Copy, isPrivate: true);
        await PublishAsync(Request("alice/a", "u1"));
        await PublishAsync(Request("alice/b", "u2", isPrivate: true));
        var (a, b) = (await StoredEvaluations.AdapterAsync(Storage, "alice/a"), await StoredEvaluations.AdapterAsync(Storage, "alice/b"));
        var plain = await PutAsync("alice/copy", new BaseSubject(), "base");
        var one = await PutAsync("alice/copy", a, "adapter:copy");
        var hidden = await PutAsync("alice/copy", b, "adapter:sort");
        var mixed = await PutAsync("alice/copy", new MixtureSubject([new(a), new(b)]).Canonical(v => v), "merge:cat_mean");
        var inside = await PutAsync("alice/closed", new BaseSubject(), "base");
        Assert.NotEqual(plain.Id, inside.Id);

        async Task<string[]> Seen(Caller caller) => [.. (await Storage.EvaluationResults.ListAsync("ORG/base", Id("alice/copy"), Copy.Digest, caller, Ct)).Select(r => r.Id).Order()];
        Assert.Equal(new[] { plain.Id, one.Id }.Order(), await Seen(Bob));
        Assert.Equal(new[] { plain.Id, one.Id, hidden.Id, mixed.Id }.Order(), await Seen(Alice));
        foreach (var id in new[] { hidden.Id, mixed.Id, inside.Id, new string('0', 64), "", "x" })
            Assert.Null(await Storage.EvaluationResults.GetAsync(id, Bob, Ct));
        Assert.NotNull(await Storage.EvaluationResults.GetAsync(mixed.Id, Alice, Ct));
        Assert.Empty(await Storage.EvaluationResults.ListAsync("org/other", Id("alice/copy"), Copy.Digest, Alice, Ct));

        var read = (await SecondProcess().EvaluationResults.GetAsync(mixed.Id, Alice, Ct))!;
        Assert.Equal((mixed.Key, mixed.Subject.Digest, 100), (read.Key, read.Subject.Digest, read.Items));
        Assert.Equal(mixed.Scores, read.Scores);
        Assert.Equal(TrainedFixture.Measured("merge:cat_mean", "copy"), await Storage.EvaluationResults.ReadPredictionsAsync(mixed.Id, Ct));
        await Storage.Catalogue.SetVisibilityAsync(Id("alice/a"), isPrivate: true, ct: Ct);
        Assert.Equal([plain.Id], await Seen(Bob));
    }

    [Fact]
    public async Task A_result_that_is_delivered_again_stays_what_it_was()
    {
        await PublishAsync("alice/copy", Copy);
        var first = await PutAsync("alice/copy", new BaseSubject(), "base");
        await Storage.EvaluationResults.PutAsync(first with { Owner = "bob", JobId = "11" }, TrainedFixture.Measured("base", "copy"), Ct);
        Assert.Equal(("alice", "00"), (await Storage.EvaluationResults.GetAsync(first.Id, Ct)) is { } kept ? (kept.Owner, kept.JobId) : default);
        Assert.Single(await Storage.EvaluationResults.ListAsync(Base, Id("alice/copy"), Copy.Digest, Bob, Ct));
        // Whoever picks it from twenty later makes it the best of twenty, and nobody makes it the first of one again.
        foreach (var candidates in new[] { 20, 1 })
        {
            await Storage.EvaluationResults.PutAsync(first with { Candidates = candidates }, TrainedFixture.Measured("base", "copy"), Ct);
            Assert.Equal(20, Assert.Single(await Storage.EvaluationResults.ListAsync(Base, Id("alice/copy"), Copy.Digest, Bob, Ct)).Candidates);
            Assert.Equal(20, (await Storage.EvaluationResults.GetAsync(first.Id, Ct))!.Candidates);
        }

        await Assert.ThrowsAsync<ArgumentException>(() => Storage.EvaluationResults.PutAsync(first, TrainedFixture.Measured("base", "copy") with { First = 1 }, Ct));
    }

    [Fact]
    public async Task Parts_are_kept_while_their_job_runs_and_joined_by_another_process()
    {
        var job = (await Storage.Jobs.SubmitAsync(
            new JobRecord(new string('a', 64), JobKind.Merge, "alice", "{}", JobStatus.Queued, 1, 1, null, false, null, null, null, default, null, null, default), Ct)).Job;
        var (whole, id) = (TrainedFixture.Measured("base", "copy"), new string('b', 64));
        Predictions Part(int first, int count) => whole with { First = first, Items = [.. whole.Items.Skip(first).Take(count)] };
        await Storage.EvaluationResults.PutPartAsync(job.Id, id, Part(40, 60), Ct);
        await Storage.EvaluationResults.PutPartAsync(job.Id, id, Part(0, 30), Ct);
        var store = SecondProcess().EvaluationResults;
        Assert.Equal([new(30, 10)], Predictions.Missing((await store.ReadPartsAsync(job.Id, id, Ct)).Select(p => p.Range), 100));
        Assert.Empty(await store.ReadPartsAsync(job.Id, new string('c', 64), Ct));

        var late = DateTimeOffset.UtcNow + TimeSpan.FromDays(3);
        Assert.Equal(0, (await Storage.Sweep.SweepAsync(late, Ct)).Predictions);
        await store.PutPartAsync(job.Id, id, Part(20, 30), Ct);
        Assert.Equal(whole, Predictions.Join([.. await store.ReadPartsAsync(job.Id, id, Ct)], 100));
        await Storage.Jobs.FinishAsync(job, JobStatus.Succeeded, ct: Ct);
        Assert.Equal(3, (await Storage.Sweep.SweepAsync(late, Ct)).Predictions);
        await store.PutPartAsync("ab", id, Part(0, 1), Ct);
        await store.DeletePartsAsync("ab", id, Ct);
        Assert.Empty(await store.ReadPartsAsync("ab", id, Ct));
    }

    [Fact]
    public async Task What_a_version_uses_is_never_swept_and_what_was_deleted_is()
    {
        await PublishAsync("alice/copy", Copy);
        await PublishAsync("alice/copy", Sort);
        await PublishAsync("bob/same", Copy);
        var result = await PutAsync("alice/copy", new BaseSubject(), "base", "sort");
        var other = await PutAsync("bob/same", new BaseSubject(), "base");
        var late = DateTimeOffset.UtcNow + TimeSpan.FromDays(3);
        Assert.Equal((0, 0), (await Storage.Sweep.SweepAsync(late, Ct)) is var s ? (s.ContentBlobs, s.Predictions) : default);

        Assert.True(await Storage.Catalogue.DeleteEvaluationSetAsync(Id("alice/copy"), Ct));
        Assert.False(await Storage.Catalogue.DeleteEvaluationSetAsync(Id("alice/copy"), Ct));
        Assert.Null(await Storage.EvaluationSets.GetAsync(Id("alice/copy"), Alice, Ct));
        Assert.Null(await Storage.EvaluationResults.GetAsync(result.Id, Ct));
        await Assert.ThrowsAsync<FileNotFoundException>(() => Storage.EvaluationResults.ReadPredictionsAsync(result.Id, Ct));
        // Bob's set has the bytes of one of the versions; the other's are nobody's.
        Assert.Equal(1, (await Storage.Sweep.SweepAsync(late, Ct)).ContentBlobs);
        Assert.NotNull(await Storage.EvaluationResults.GetAsync(other.Id, Bob, Ct));
        Assert.Equal(Copy.Digest, (await Storage.EvaluationSets.ReadAsync(Copy.Digest, Ct)).Digest);
        Assert.Equal(1, (await PublishAsync("alice/copy", Sort)).Version.Number);
    }

    private Task<(EvaluationSetRecord Set, EvaluationSetVersion Version)> PublishAsync(string name, EvaluationSet set, bool isPrivate = false) =>
        Storage.EvaluationSets.PublishAsync(Id(name), set, isPrivate, Id(name).Owner, "as it is", Ct);

    private Task<EvaluationResultRecord> PutAsync(string set, EvaluationSubject subject, string row, string task = "copy") =>
        StoredEvaluations.PutAsync(Storage, set, Base, subject, TrainedFixture.Measured(row, task), "alice");
}

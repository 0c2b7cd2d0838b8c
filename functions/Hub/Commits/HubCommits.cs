using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Functions.Http;
using Marketplace.Functions.Uploads;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>
/// Lays commits on repositories. What makes an adapter becomes an upload and a version, as everything that is published; what is none yet becomes the draft. Commits onto one repository meet at its
/// record: whoever writes it first is the next, everybody else looks again.
/// </summary>
public sealed class HubCommits(MarketplaceStorage storage, HubVerdicts verdicts, CommitBytes bytes, IOptions<MarketplaceOptions> options, TimeProvider time)
{
    // Each attempt but the last lost to somebody else's commit.
    private const int MaxAttempts = 30;

    private const string Checking = "The files are still being checked; the commit appears when they have passed.";

    /// <summary>Commits, for a caller who may write to the repository.</summary>
    /// <param name="requester">Who commits.</param>
    /// <param name="id">The repository.</param>
    /// <param name="commit">What to do.</param>
    /// <param name="folder">A scratch folder, where inline contents are.</param>
    /// <param name="cancellationToken">Stops before the commit is recorded.</param>
    internal async Task<Found<CommitDone>> CommitAsync(Requester requester, AdapterId id, CommitRequest commit, string folder, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var head = await CommitHead.LoadAsync(storage, id, cancellationToken);
            if (head is { Adapter: null, Record: null })
                return HubProblems.RepoNotFound(id.ToString());
            var undecided = false;
            if (head.Record?.Pending is { } before)
            {
                var verdict = await verdicts.WaitAsync(before, options.Value.HubCommitWait, cancellationToken);
                undecided = verdict is null;
                if (verdict is { State: UploadState.Published })
                    head = await CommitHead.LoadAsync(storage, id, cancellationToken);
            }

            if (undecided && head.Record!.Pending!.Commit == commit.Parent)
                return BeingChecked(id, commit.Parent);
            if (commit.Parent is { } parent && parent != head.State.Id)
                return Stale(id, parent, head.State.Id);
            var (tree, refused) = await CommitTree.ApplyAsync(head.State.Files, commit.Operations, put => bytes.FindAsync(requester.Caller, put, cancellationToken), options.Value.MaxFiles);
            if (tree is null)
                return refused!;
            var (kind, problem) = Classify(ref tree, head, requester, out var note);
            if (problem is not null)
                return problem;
            var next = new NextState(head, kind, tree, head.IdOf(kind, [.. tree.Select(f => f.File)]));
            // Sent a second time after a lost answer, most likely.
            if (undecided && head.Record!.Pending!.Commit == next.Id)
                return new CommitDone(next.Id, $"{Checking} {note}".Trim());
            if (undecided)
                return BeingChecked(id, head.Record!.Pending!.Commit);
            if (CommitTree.Same(tree.Select(f => f.File), head.State.Files))
                return new CommitDone(head.State.Id, note, Unchanged: true);

            var (done, failed) = kind == TreeKind.Draft || next.IsPublished
                ? await DraftAsync(requester, id, commit, next, folder, cancellationToken)
                : await PublishAsync(requester, id, commit, next, cancellationToken);
            if (failed is not null)
                return failed;
            if (done is not null)
                return done with { Note = $"{done.Note} {note}".Trim() };
        }

        return HubProblems.Conflict($"Others commit to '{id}' all the time; try again.");
    }

    /// <summary>The state that a commit makes.</summary>
    private sealed record NextState(CommitHead Head, TreeKind Kind, IReadOnlyList<TreeFile> Tree, string Id)
    {
        /// <summary>Whether it is the published state below a draft: then the draft goes.</summary>
        public bool IsPublished => Head.Published is { } published && CommitTree.Same(Tree.Select(f => f.File), published.Files);
    }

    private static (TreeKind Kind, ProblemHttpResult? Problem) Classify(ref IReadOnlyList<TreeFile> tree, CommitHead head, Requester requester, out string note)
    {
        var forBaseModel = head.Record is { ForBaseModel: true };
        var (kind, foreign) = TreeKinds.Of([.. tree.Select(f => f.File.Path)], requester.Caller.IsAdmin && head.Newest is null, !forBaseModel);
        note = "";
        if (kind == TreeKind.Foreign)
            return (kind, TreeRefusal.Of(foreign, forBaseModel, requester.Caller.IsAdmin));
        if (kind != TreeKind.BaseModel)
            return (kind, null);
        var left = tree.Where(f => !BaseModelManifest.Takes(f.File.Path)).Select(f => f.File.Path).ToList();
        if (left.Count > 0)
            note = $"A base model is its configuration, tokenizer and weights; left out: {string.Join(", ", left)}.";
        tree = [.. tree.Where(f => BaseModelManifest.Takes(f.File.Path))];
        return (kind, null);
    }

    // Null twice: somebody else wrote first.
    private async Task<Found<CommitDone>> DraftAsync(Requester requester, AdapterId id, CommitRequest commit, NextState next, string folder, CancellationToken cancellationToken)
    {
        var (head, published) = (next.Head, next.IsPublished);
        var (files, refused) = await bytes.KeepAsync(requester.Owner, id, next.Tree, folder, cancellationToken);
        if (files is null)
            return refused!;
        var isBaseModel = head.Record is { ForBaseModel: true };
        if (!isBaseModel && await storage.Usage.ChargeDraftAsync(id, published ? 0 : files.Sum(f => f.File.Size), cancellationToken) is { } excess)
            return HubProblems.QuotaExceeded(excess.ToString());
        var draft = published ? null : new RepositoryDraft(next.Id, head.Newest?.Id, [.. files.Select(f => f.File)], commit.Message, time.GetUtcNow());
        if (!await RecordAsync(head, id, record => record with { Draft = draft, Pending = null }, cancellationToken))
            return default;
        // Published past the record, by another way: the draft is void, and goes on what is there now.
        if ((await storage.Versions.NewestAsync(id, cancellationToken))?.Id != head.Newest?.Id)
            return default;
        await bytes.ForgetAsync(requester.Owner, next.Tree, cancellationToken);
        return new CommitDone(published ? head.Published!.Id : next.Id);
    }

    // The upload first, then the record that names it, then the queue: without the second the first expires, and whoever meets the second sees to the third.
    private async Task<Found<CommitDone>> PublishAsync(Requester requester, AdapterId id, CommitRequest commit, NextState next, CancellationToken cancellationToken)
    {
        var (head, isBaseModel, now) = (next.Head, next.Kind == TreeKind.BaseModel, time.GetUtcNow());
        var (files, refused) = await bytes.SettleAsync(id, next.Tree, head.Newest, cancellationToken);
        if (files is null)
            return refused!;
        if (!isBaseModel && await UploadRoom.LackingAsync(storage, id, [.. files], now, cancellationToken) is { } excess)
            return HubProblems.QuotaExceeded(excess.ToString());
        var upload = new UploadRecord(
            UploadStore.NewId(), id, isBaseModel ? requester.Owner : id.Owner, head.Adapter?.Private ?? head.Record?.Private ?? false, UploadState.Open, [.. files],
            isBaseModel ? null : head.Newest?.Id ?? PublishRequest.NoParent, commit.Message, now, now + options.Value.HubCommitWait, null, null, null, default,
            isBaseModel ? UploadKind.BaseModel : UploadKind.Adapter);
        await storage.Uploads.AddAsync(upload, cancellationToken);
        var pending = new PendingCommit(next.Id, upload.Id, now);
        if (!await RecordAsync(head, id, record => record with { Pending = pending, ForBaseModel = isBaseModel }, cancellationToken))
        {
            if (await storage.Uploads.GetAsync(upload.Id, cancellationToken) is { State: UploadState.Open } lost)
                await storage.Uploads.UpdateAsync(lost with { State = UploadState.Cancelled }, cancellationToken);
            return default;
        }

        var decided = await verdicts.DecideAsync(pending, cancellationToken);
        return decided.State switch
        {
            UploadState.Published => new CommitDone(next.Id),
            UploadState.Queued => new CommitDone(next.Id, Checking),
            UploadState.Rejected => HubProblems.BadRequest(await CommitIssues.DescribeAsync(storage, decided, cancellationToken)),
            _ when decided.FailureCode == "conflict" => default,
            _ when decided.FailureCode == "quota-exceeded" => HubProblems.QuotaExceeded(decided.FailureMessage!),
            _ when decided.FailureCode == "taken-down" => HubProblems.Forbidden("Access to this resource is disabled."),
            _ => HubProblems.Conflict(await CommitIssues.DescribeAsync(storage, decided, cancellationToken)),
        };
    }

    private async Task<bool> RecordAsync(CommitHead head, AdapterId id, Func<RepositoryRecord, RepositoryRecord> change, CancellationToken cancellationToken)
    {
        if (head.Record is { } record)
            return await storage.Repositories.UpdateAsync(change(record), cancellationToken) == UpdateResult.Updated;
        var adapter = head.Adapter!;
        return await storage.Repositories.AddAsync(change(new RepositoryRecord(adapter.Id, adapter.Private, adapter.CreatedAt, null, null, default)), cancellationToken) == AddResult.Added;
    }

    private static ProblemHttpResult BeingChecked(AdapterId id, string commit) =>
        HubProblems.Conflict($"The commit {commit} of '{id}' is still being checked; commit again when it is the newest, or has been refused.");

    private static ProblemHttpResult Stale(AdapterId id, string parent, string head) =>
        HubProblems.StaleParent($"'{id}' is at {head}, not at {parent} any more; look at what is there, and commit again.");
}

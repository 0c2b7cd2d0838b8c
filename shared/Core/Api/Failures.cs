namespace Marketplace.Core.Api;

/// <summary>GET /api/v1/failures: what failed in any account, and what waits in the queues; for operators.</summary>
/// <param name="Items">Failed jobs and uploads, newest first.</param>
/// <param name="Queues">Every queue.</param>
public sealed record FailuresView(IReadOnlyList<FailureView> Items, IReadOnlyList<QueueView> Queues);

/// <summary>A job or an upload that failed.</summary>
/// <param name="Kind">job or upload.</param>
/// <param name="Id">Its id.</param>
/// <param name="What">Kind of the job; adapter or base model of the upload.</param>
/// <param name="Owner">The account that asked for it.</param>
/// <param name="Code">Why it failed: <c>poisoned</c> where its message failed too often.</param>
/// <param name="Detail">The same in words.</param>
/// <param name="Attempt">Which attempt at the job it was.</param>
/// <param name="At">When the job ended, or the upload began.</param>
public sealed record FailureView(string Kind, string Id, string What, string Owner, string? Code, string? Detail, int? Attempt, DateTimeOffset At);

/// <summary>A queue and its poison twin.</summary>
/// <param name="Queue">Its name.</param>
/// <param name="Messages">About how many messages it has, those being handled included.</param>
/// <param name="Poison">About how many failed too often and are not dealt with yet.</param>
public sealed record QueueView(string Queue, int Messages, int Poison);

using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Maintenance;

/// <summary>What failed lately, whoever asked for it, and how long the queues are: where an operator looks first.</summary>
public static class ListFailures
{
    private const int MaxDays = 90;
    private const int Most = 200;

    public static async Task<Results<Ok<FailuresView>, ProblemHttpResult>> Handle(
        MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken, string? days = null)
    {
        var span = 7;
        if (days is not null && (!int.TryParse(days, out span) || span is < 1 or > MaxDays))
            return Problems.InvalidRequest("days", $"days is a number from 1 to {MaxDays}.");
        var since = time.GetUtcNow() - TimeSpan.FromDays(span);
        var failures = new List<FailureView>();
        await foreach (var job in storage.Jobs.ListFailedAsync(since, cancellationToken))
            failures.Add(new("job", job.Id, Text.Of(job.Kind), job.Owner, job.ErrorCode, job.ErrorMessage, job.Attempt, job.FinishedAt ?? job.CreatedAt));
        await foreach (var upload in storage.Uploads.ListFailedAsync(since, cancellationToken))
            failures.Add(new("upload", upload.Id, upload.Adapter.ToString(), upload.Owner, upload.FailureCode, upload.FailureMessage, null, upload.CreatedAt));
        var queues = await Task.WhenAll(QueueNames.All.Select(async queue => new QueueView(
            queue, await storage.Queues.CountAsync(queue, cancellationToken), await storage.Queues.CountAsync(QueueNames.Poison(queue), cancellationToken))));
        return TypedResults.Ok(new FailuresView([.. failures.OrderByDescending(f => f.At).Take(Most)], queues));
    }
}

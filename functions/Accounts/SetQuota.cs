using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Accounts;

/// <summary>Sets what an account may use, more or less than what holds for all. What it has beyond that stays; it gets no more.</summary>
public static class SetQuota
{
    private const int MostJobs = 100_000;

    public static async Task<Results<Ok<AccountView>, ProblemHttpResult>> Handle(
        string owner, SetQuotaRequest request, Requester requester, MarketplaceStorage storage, IOptions<MarketplaceOptions> options, TimeProvider time,
        CancellationToken cancellationToken)
    {
        if (AccountLookup.Refuse(requester, owner) is { } refusal)
            return refusal;
        (string Name, long? Value)[] amounts =
        [
            ("bytes", request.Bytes), ("adapters", request.Adapters), ("uploads", request.Uploads), ("keys", request.Keys), ("jobs", request.Jobs),
            ("evaluationSetBytes", request.EvaluationSetBytes),
        ];
        if (amounts.FirstOrDefault(a => a.Value < 0).Name is { } negative)
            return Problems.InvalidRequest(negative, "A quota is not negative.");
        if (request.Jobs > MostJobs)
            return Problems.InvalidRequest("jobs", $"An account has at most {MostJobs} jobs at a time.");

        await storage.Usage.SetQuotaAsync(
            owner, new QuotaOverrides(request.Bytes, request.Adapters, request.Uploads, request.Keys, request.Jobs, request.EvaluationSetBytes), cancellationToken);
        await storage.Audit.WriteAsync(
            new AuditEvent(time.GetUtcNow(), requester.Owner, "set-quota", owner, JsonSerializer.Serialize(request, ApiJson.Options)), ct: cancellationToken);
        return TypedResults.Ok(await AccountLookup.ViewAsync(storage, owner, options.Value.MaxActiveJobs, time.GetUtcNow(), cancellationToken));
    }
}

using Marketplace.Core.Api;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Http;

/// <summary>Every refusal of the API: RFC 9457 problem details with a stable code. docs/api.md lists the codes.</summary>
public static class Problems
{
    public static readonly ProblemHttpResult Unauthenticated =
        Create(401, "unauthenticated", "A valid API key is needed", "Send 'Authorization: Bearer hf_…' with a key that is known, unexpired and not revoked.");

    public static readonly ProblemHttpResult IdentityUnavailable =
        Create(503, "identity-unavailable", "Tokens can't be checked", "The issuer of tokens does not answer. Try again, or send an API key.");

    public static ProblemHttpResult InvalidJson(string detail) => Create(400, "invalid-json", "The body is not the JSON asked for", detail);

    public static ProblemHttpResult InvalidRequest(params IReadOnlyList<IssueView> issues) =>
        Create(400, "invalid-request", "A value can't be used", string.Join(' ', issues.Select(i => i.Message)), issues);

    public static ProblemHttpResult InvalidRequest(string path, string message) =>
        InvalidRequest(new IssueView("invalid-value", "error", path, message));

    public static ProblemHttpResult Forbidden(string detail) => Create(403, "forbidden", "The key does not allow this", detail);

    public static ProblemHttpResult InvalidToken(string reason) => Create(401, "unauthenticated", "The token is not valid", reason);

    public static ProblemHttpResult NoAccount(string objectId) => Create(
        403, "no-account", "The token belongs to no account", $"An admin can bind the identity {objectId} to one: marketplace accounts bind OWNER {objectId}.");

    public static ProblemHttpResult QuotaExceeded(string detail) => Create(403, "quota-exceeded", "The account has no room for this", detail);

    public static ProblemHttpResult NotFound(string what) => Create(404, "not-found", "Not found", $"There is no {what}.");

    public static ProblemHttpResult TakenDown(TakedownView takedown, IReadOnlyList<IssueView>? issues = null)
    {
        var because = takedown switch { { Because: { } root } => $", because '{root}' was", { Caused: true } => ", because another adapter was", _ => "" };
        var problem = Create(
            410, "taken-down", "The adapter was taken down",
            $"'{takedown.Adapter}' was taken down on {takedown.At:yyyy-MM-dd}{because} ({takedown.Reason}){(takedown.Message is { } message ? $": {message}" : ".")}", issues);
        problem.ProblemDetails.Extensions["takedown"] = takedown;
        return problem;
    }

    public static ProblemHttpResult Conflict(string detail) => Create(409, "conflict", "The state does not allow this", detail);

    public static ProblemHttpResult BegunPrivate(string adapter) =>
        Conflict($"The repository '{adapter}' was created private; ask for a private result, or make the repository public.");

    public static ProblemHttpResult BaseMismatch(string detail) => Create(422, "base-mismatch", "The adapters do not belong to one known base model", detail);

    public static ProblemHttpResult NotMergeable(IReadOnlyList<IssueView> issues) =>
        Create(422, "not-mergeable", "The adapters can't be merged as asked", string.Join(' ', issues.Select(i => i.Message)), issues);

    public static ProblemHttpResult RankNotAvailable(string adapter, IReadOnlyList<IssueView> issues) =>
        Create(422, "rank-not-available", "The adapter can't be truncated", $"'{adapter}' is to be had at its own rank only. {string.Join(' ', issues.Select(i => i.Message))}", issues);

    public static ProblemHttpResult LibraryTooLarge(int members, int limit) =>
        Create(422, "library-too-large", "The library is too large for this", $"It has {members} members; this is done on request for up to {limit}.");

    public static ProblemHttpResult SubspaceExhausted(string module, int free, int rank) =>
        Create(409, "subspace-exhausted", "No orthogonal subspace is left", $"{module} has {free} directions left, which is less than rank {rank}.");

    public static ProblemHttpResult ComparisonTooLarge(long bytes, long limit) =>
        ComparisonTooLarge($"Their weights have {bytes} bytes; up to {limit} are compared on request.");

    public static ProblemHttpResult ComparisonTooLarge(string detail) => Create(422, "comparison-too-large", "The adapters are too large to be compared on request", detail);

    public static ProblemHttpResult TooManyJobs(int limit) =>
        Create(429, "too-many-requests", "Too many jobs are waiting", $"An account may have {limit} jobs waiting or running.");

    public static ProblemHttpResult TooManyRequests(string detail) => Create(429, "too-many-requests", "Too many requests", detail);

    public static ProblemHttpResult ForStatus(int status) => status switch
    {
        401 => Unauthenticated,
        404 => Create(404, "not-found", "Not found", "There is no such route."),
        405 => Create(405, "method-not-allowed", "Method not allowed", "The route exists, but not for this method."),
        413 => Create(413, "too-large", "The body is too large", "Bodies of the API are small; files go to the addresses that an upload returns."),
        415 => Create(415, "unsupported-media-type", "JSON is expected", "Send the body with 'Content-Type: application/json'."),
        503 => Create(503, "storage-unavailable", "Storage does not answer", "Try again; nothing was lost that was acknowledged."),
        _ when status is >= 400 and < 500 => Create(status, "invalid-request", "The request can't be answered", "The server could not make sense of the request."),
        _ => InternalError(null),
    };

    public static ProblemHttpResult InternalError(string? traceId)
    {
        var problem = Create(500, "internal-error", "A defect of the service", "The operator finds the cause under the trace id.");
        if (traceId is not null)
            problem.ProblemDetails.Extensions["traceId"] = traceId;
        return problem;
    }

    private static ProblemHttpResult Create(int status, string code, string title, string detail, IReadOnlyList<IssueView>? issues = null)
    {
        var extensions = new Dictionary<string, object?> { ["code"] = code };
        if (issues is { Count: > 0 })
            extensions["issues"] = issues;
        return TypedResults.Problem(detail, statusCode: status, title: title, type: $"urn:marketplace:problem:{code}", extensions: extensions);
    }
}

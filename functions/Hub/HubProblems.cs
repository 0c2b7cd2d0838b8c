using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Hub;

/// <summary>Refusals in the Hub's protocol. docs/hub.md lists them.</summary>
internal static class HubProblems
{
    /// <summary>There is no such repository, or the caller may not know of it.</summary>
    public static ProblemHttpResult RepoNotFound(string id) => Create(404, "not-found", $"There is no repository '{id}'.", "RepoNotFound");

    /// <summary>The repository has no such revision.</summary>
    public static ProblemHttpResult RevisionNotFound(string id, string revision, string? because = null) =>
        Create(404, "not-found", because ?? $"There is no revision '{revision}' of '{id}'.", "RevisionNotFound");

    /// <summary>The revision has no such file.</summary>
    public static ProblemHttpResult EntryNotFound(string path, string? detail = null) => Create(404, "not-found", detail ?? $"There is no file '{path}' in this revision.", "EntryNotFound");

    /// <summary>What was sent can't be used.</summary>
    public static ProblemHttpResult BadRequest(string detail) => Create(400, "invalid-request", detail);

    /// <summary>The caller may not do this.</summary>
    public static ProblemHttpResult Forbidden(string detail) => Create(403, "forbidden", detail);

    /// <summary>The account has no room.</summary>
    public static ProblemHttpResult QuotaExceeded(string detail) => Create(403, "quota-exceeded", detail);

    /// <summary>The state does not allow it.</summary>
    public static ProblemHttpResult Conflict(string detail) => Create(409, "conflict", detail);

    /// <summary>A commit was to follow one that is not the newest any more.</summary>
    public static ProblemHttpResult StaleParent(string detail) => Create(412, "conflict", detail);

    /// <summary>
    /// There is no such repository, said without the code that says so: loaders of tokenizers list files that most models don't have, and take any other 404 for "nothing there", so that they go on with what is cached.
    /// </summary>
    public static ProblemHttpResult NothingToList(string id) => Create(404, "not-found", $"There is no repository '{id}'.");

    /// <summary>A range that begins beyond the file's end.</summary>
    public static ProblemHttpResult RangeNotSatisfiable(string detail) => Create(416, "invalid-request", detail);

    /// <summary>Too many bytes.</summary>
    public static ProblemHttpResult TooLarge(string detail) => Create(413, "too-large", detail);

    /// <summary>A part of the protocol that this registry does not have.</summary>
    public static ProblemHttpResult Unsupported(string detail) => Create(404, "not-found", detail);

    private static ProblemHttpResult Create(int status, string code, string detail, string? hubCode = null)
    {
        var extensions = new Dictionary<string, object?> { ["code"] = code };
        if (hubCode is not null)
            extensions[HubErrors.Code] = hubCode;
        return TypedResults.Problem(detail, statusCode: status, title: "The request can't be answered", type: $"urn:marketplace:problem:{code}", extensions: extensions);
    }
}

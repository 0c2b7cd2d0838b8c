using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Validation;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Marketplace.Functions.EvaluationSets;

/// <summary>Publishes a version of an evaluation set at once: sets are small, and reading one takes seconds at most.</summary>
public static class PublishEvaluationSet
{
    private const int MaxMessageChars = 1000;

    // JSON spells a set a little longer than lines do.
    private const int MaxBody = EvaluationSetLimits.MaxBytes + (1 << 20);

    [RequestSizeLimit(MaxBody)]
    public static async Task<Results<Created<PublishEvaluationSetResponse>, ProblemHttpResult>> Handle(
        HttpContext context, Requester requester, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken,
        string? set = null, string? @private = null, string? message = null)
    {
        if (@private is not (null or "true" or "false"))
            return Problems.InvalidRequest("private", "private is true or false.");
        var (body, problem) = await ReadAsync(context.Request, set, @private == "true", message, cancellationToken);
        if (body is null)
            return problem!;
        if (!AdapterId.TryParse(body.Set, out var id))
            return Problems.InvalidRequest("set", $"'{body.Set}' is not a name of the form owner/name.");
        if (!requester.Owns(id))
            return Problems.Forbidden($"The key belongs to '{requester.Owner}'; it can't publish for '{id.Owner}'.");
        if (body.Message?.Length > MaxMessageChars)
            return Problems.InvalidRequest("message", $"A message has at most {MaxMessageChars} characters.");

        if (!EvaluationSetReader.TryRead(body.Lines, out var parsed, out var problems, body.Header))
            return Problems.InvalidRequest([.. problems.Select(p => body.Issue(p))]);
        if (await storage.Usage.ChargeSetAsync(id, parsed.Digest, parsed.Bytes.Length, cancellationToken) is { } excess)
            return Problems.QuotaExceeded(excess.ToString());
        var (record, version) = await storage.EvaluationSets.PublishAsync(id, parsed, body.Private, requester.Owner, body.Message, cancellationToken);
        await storage.Audit.WriteAsync(
            new AuditEvent(time.GetUtcNow(), requester.Owner, "publish-set", $"{record.Id}@{version.Number}", version.Digest.Hex), $"publish-set {record.Id} {version.Number}", cancellationToken);
        return TypedResults.Created(
            $"{FunctionTable.RoutePrefix}/evaluation-sets/{record.Id}", new PublishEvaluationSetResponse(version.View(record.Id), record.Private, [.. problems.Select(p => body.Issue(p))]));
    }

    private static async Task<Found<Body>> ReadAsync(HttpRequest request, string? set, bool isPrivate, string? message, CancellationToken cancellationToken)
    {
        if (request.HasJsonContentType())
            return OfJson(await ReadJsonAsync(request, cancellationToken));
        if (request.ContentType?.Split(';')[0].Trim() is not ("application/jsonl" or "application/x-ndjson" or "application/jsonlines" or "application/octet-stream"))
            return Problems.ForStatus(415);
        if (set is null)
            return Problems.InvalidRequest("set", "Say under which name: ?set=owner/name.");
        using var lines = new MemoryStream();
        await request.Body.CopyToAsync(lines, cancellationToken);
        return new Body(set, isPrivate, message, lines.GetBuffer().AsMemory(0, (int)lines.Length), null, line => $"line {line}");
    }

    private static async Task<PublishEvaluationSetRequest> ReadJsonAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync<PublishEvaluationSetRequest>(request.Body, ApiJson.Options, cancellationToken) ?? throw new JsonException("The body is null.");
        }
        catch (JsonException e)
        {
            throw new BadHttpRequestException("The body is not the JSON asked for.", e);
        }
    }

    // One line for each item, so that a problem's line leads back to it.
    private static Body OfJson(PublishEvaluationSetRequest request)
    {
        using var lines = new MemoryStream();
        foreach (var item in request.Items)
        {
            using (var json = new Utf8JsonWriter(lines))
                item.WriteTo(json);
            lines.WriteByte((byte)'\n');
        }

        return new Body(request.Set, request.Private, request.Message, lines.GetBuffer().AsMemory(0, (int)lines.Length), request.Header ?? new(), line => $"items[{line - 1}]");
    }

    /// <summary>What was sent, in either form.</summary>
    private sealed record Body(string Set, bool Private, string? Message, ReadOnlyMemory<byte> Lines, EvaluationSetFields? Header, Func<int, string> Place)
    {
        public IssueView Issue(EvaluationSetProblem problem) => new(
            problem.Code, problem.Severity == IssueSeverity.Error ? "error" : "warning",
            problem.Line == 0 ? problem.Member : problem.Member is null ? Place(problem.Line) : $"{Place(problem.Line)}{(Header is null ? ": " : ".")}{problem.Member}", problem.Message);
    }
}

using System.Text.Json;

namespace Marketplace.Functions.Hub;

/// <summary>
/// Writes a refusal as the Hub's clients read it: status, <c>X-Error-Code</c> where they tell cases apart by it, <c>X-Error-Message</c> in one line of ASCII, and the whole text as <c>{"error": …}</c>.
/// </summary>
internal static class HubErrors
{
    /// <summary>Extension member of a problem that holds what goes into <c>X-Error-Code</c>.</summary>
    public const string Code = "hubCode";

    private const int MaxHeader = 2000;

    /// <summary>Whether a request speaks the Hub's protocol: by its function, and without one by not being below the API's own routes.</summary>
    public static bool Concerns(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<HttpFunction>() is { } function
            ? function.Hub
            : !context.Request.Path.StartsWithSegments(FunctionTable.RoutePrefix) && !context.Request.Path.StartsWithSegments("/openapi");

    /// <summary>Writes the problem.</summary>
    public static Task WriteAsync(ProblemDetailsContext context)
    {
        var (problem, response) = (context.ProblemDetails, context.HttpContext.Response);
        var text = problem.Status switch
        {
            StatusCodes.Status410Gone => "Access to this resource is disabled.",
            _ => problem.Detail ?? problem.Title ?? "The request can't be answered.",
        };
        // 410 and 422 are not among the statuses that clients explain.
        response.StatusCode = problem.Status switch { StatusCodes.Status410Gone => 403, StatusCodes.Status422UnprocessableEntity => 400, { } status => status, _ => 500 };
        if (problem.Extensions.TryGetValue(Code, out var code) && code is string known)
            response.Headers["X-Error-Code"] = known;
        response.Headers["X-Error-Message"] = OneLine(text);
        var body = problem.Extensions.TryGetValue("url", out var url) ? new { error = text, url } : (object)new { error = text };
        response.ContentType = "application/json";
        return HttpMethods.IsHead(context.HttpContext.Request.Method) ? Task.CompletedTask : response.WriteAsync(JsonSerializer.Serialize(body, HubJson.Options), context.HttpContext.RequestAborted);
    }

    /// <summary>A text as a header can have it.</summary>
    internal static string OneLine(string text)
    {
        var line = string.Concat(text.Select(c => char.IsControl(c) ? ' ' : char.IsAscii(c) ? c : '?'));
        return line.Length <= MaxHeader ? line : line[..MaxHeader];
    }
}

using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Hub;

/// <summary>Bodies of the Hub's protocol. Clients name all sorts of content types, and send members that no one here needs.</summary>
internal static class HubBody
{
    /// <summary>Reads the body as JSON.</summary>
    /// <exception cref="BadHttpRequestException">It is none, or not of that form.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext context, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await JsonSerializer.DeserializeAsync<T>(context.Request.Body, HubJson.Options, cancellationToken)
                ?? throw new BadHttpRequestException("The body is null.", StatusCodes.Status400BadRequest);
        }
        catch (JsonException e)
        {
            throw new BadHttpRequestException("The body is not the JSON asked for.", StatusCodes.Status400BadRequest, e);
        }
    }

    /// <summary>A refusal where something asks for a pull request, which there are none of.</summary>
    public static ProblemHttpResult? PullRequest(HttpContext context) =>
        HubQuery.Flag(context.Request.Query, "create_pr") ? HubProblems.BadRequest("This registry has no pull requests; commit to main.") : null;
}

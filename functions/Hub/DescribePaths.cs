using System.Text.Json;
using Marketplace.Functions.Http;

namespace Marketplace.Functions.Hub;

/// <summary>What is at some paths of a revision; paths where nothing is are left out. Bodies come as a form from Python and as JSON from others.</summary>
public static class DescribePaths
{
    private sealed record Body(IReadOnlyList<string?>? Paths, bool Expand = false);

    public static async Task<IResult> Handle(
        string owner, string name, string revision, Requester requester, HubReader reader, HubHistory history, HttpContext context, CancellationToken cancellationToken)
    {
        var (repository, found, problem) = await reader.FindAsync(requester.Caller, owner, name, revision, cancellationToken);
        if (found is null)
            return problem!;
        context.Response.Headers["X-Repo-Commit"] = found.Commit;
        if (await ReadAsync(context.Request, cancellationToken) is not { } body)
            return HubProblems.BadRequest("The body is a form or JSON with paths and, perhaps, expand.");
        var present = HubTree.Of(found).ToDictionary(e => e.Path, StringComparer.Ordinal);
        var entries = (body.Paths ?? []).OfType<string>().Select(p => p.TrimEnd('/')).Distinct(StringComparer.Ordinal).Where(present.ContainsKey).Select(p => present[p]).ToList();
        if (body.Expand)
        {
            var last = await history.LastAsync(repository!, found, cancellationToken);
            entries = entries.ConvertAll(e => e with { LastCommit = last[e.Path] });
        }

        return HubJson.Answer(entries);
    }

    private static async Task<Body?> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        try
        {
            if (!request.HasFormContentType)
                return await JsonSerializer.DeserializeAsync<Body>(request.Body, HubJson.Options, cancellationToken);
            var form = await request.ReadFormAsync(cancellationToken);
            return new([.. form["paths"]], form["expand"] is [{ } expand] && (expand == "1" || expand.Equals("true", StringComparison.OrdinalIgnoreCase)));
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            return null;
        }
    }
}

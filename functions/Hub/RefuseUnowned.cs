namespace Marketplace.Functions.Hub;

/// <summary>
/// Whatever is asked below <c>/api/models</c> and no other route takes: above all base models with names of one part, which clients look up here too as soon as this service is their endpoint. They are told that there is no
/// such repository, so that they go on with what they have.
/// </summary>
public static class RefuseUnowned
{
    private static readonly HashSet<string> Subjects = new(["", "revision", "refs", "commits", "paths-info", "resolve"], StringComparer.Ordinal);

    public static IResult Handle(string name, string? path) => (path ?? "").Split('/')[0] switch
    {
        "tree" => HubProblems.NothingToList(name),
        var subject when Subjects.Contains(subject) => HubProblems.RepoNotFound(name),
        _ => Http.Problems.ForStatus(StatusCodes.Status404NotFound),
    };
}

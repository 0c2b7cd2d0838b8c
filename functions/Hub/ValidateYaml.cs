using Marketplace.Core.Formats;

namespace Marketplace.Functions.Hub;

/// <summary>Checks the front matter of a README.md before it is sent; clients ask for every one.</summary>
public static class ValidateYaml
{
    private sealed record Body(string? Content, string? RepoType);

    private sealed record Finding(string Message);

    private static Finding Found(ModelCardNote note) => new($"Line {note.Line}: {note.Message}");

    public static async Task<IResult> Handle(HttpContext context, CancellationToken cancellationToken)
    {
        var body = await HubBody.ReadAsync<Body>(context, cancellationToken);
        if (body.Content is not { } content)
            return HubProblems.BadRequest("Send the whole README.md as 'content'.");
        var check = ModelCard.Check(content);
        var findings = (Errors: check.Errors.Select(Found), Warnings: check.Warnings.Select(Found));
        if (check.Errors.IsEmpty)
            return HubJson.Answer(new { errors = findings.Errors, warnings = findings.Warnings });
        var error = string.Join(' ', findings.Errors.Select(e => e.Message));
        context.Response.Headers["X-Error-Message"] = HubErrors.OneLine(error);
        return HubJson.Answer(new { error, errors = findings.Errors, warnings = findings.Warnings }, StatusCodes.Status400BadRequest);
    }
}

using Marketplace.Core.Formats;

namespace Marketplace.Functions.Hub;

/// <summary>Checks the front matter of a README.md before it is sent; clients ask for every one.</summary>
public static class ValidateYaml
{
    private sealed record Body(string? Content, string? RepoType);

    private sealed record Finding(string Message);

    public static async Task<IResult> Handle(HttpContext context, CancellationToken cancellationToken)
    {
        var body = await HubBody.ReadAsync<Body>(context, cancellationToken);
        if (body.Content is not { } content)
            return HubProblems.BadRequest("Send the whole README.md as 'content'.");
        var check = ModelCardCheck.Of(content);
        var findings = (Errors: check.Errors.Select(e => new Finding(e)), Warnings: check.Warnings.Select(w => new Finding(w)));
        if (check.Errors.IsEmpty)
            return HubJson.Answer(new { errors = findings.Errors, warnings = findings.Warnings });
        var error = string.Join(' ', check.Errors);
        context.Response.Headers["X-Error-Message"] = HubErrors.OneLine(error);
        return HubJson.Answer(new { error, errors = findings.Errors, warnings = findings.Warnings }, StatusCodes.Status400BadRequest);
    }
}

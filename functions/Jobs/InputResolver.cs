using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Jobs;

/// <summary>Resolves what a request names (<c>owner/name@revision</c>) to published bytes of one base model, as the caller may see them.</summary>
internal sealed class InputResolver(MarketplaceStorage storage, Requester requester)
{
    private readonly List<IssueView> issues = [];
    private ProblemHttpResult? takenDown;
    private readonly List<(string Input, string? BaseModel, string Spelling)> bases = [];

    /// <summary>The input, or null with the reason noted.</summary>
    public async Task<ResolvedInput?> AddAsync(string place, string text, double weight, string role, CancellationToken cancellationToken)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var (name, revision) = at < 0 ? (text, "main") : (text[..at], text[(at + 1)..]);
        if (!AdapterId.TryParse(name, out var id))
            return Refuse(place, $"'{text}' is not of the form owner/name or owner/name@revision.");
        if (!double.IsFinite(weight))
            return Refuse(place, "A weight is a finite number.");

        var (version, problem) = await Lookup.VersionAsync(storage, requester.Caller, id.Owner, id.Name, revision, cancellationToken);
        if (version is null)
        {
            if (problem!.StatusCode == StatusCodes.Status410Gone)
                takenDown ??= problem;
            return Refuse(place, problem.ProblemDetails.Detail!, problem.StatusCode == StatusCodes.Status410Gone ? "taken-down" : "invalid-value");
        }

        bases.Add((text, await storage.BaseModels.ResolveAsync(version.BaseModelName, version.Adapter.Owner, cancellationToken), version.BaseModelName));
        return ResolvedInput.Of(version, weight, role);
    }

    /// <summary>The one base model of all inputs, or the problem to answer with.</summary>
    public (string? BaseModel, ProblemHttpResult? Problem) Finish()
    {
        if (takenDown is not null)
            return (null, Problems.TakenDown((TakedownView)takenDown.ProblemDetails.Extensions["takedown"]!, issues));
        if (issues.Count > 0)
            return (null, Problems.InvalidRequest(issues));
        foreach (var (input, canonical, spelling) in bases)
        {
            if (canonical is null)
                return (null, Problems.BaseMismatch($"The base model of '{input}', '{spelling}', is not known; its owner can confirm an alias."));
            if (!string.Equals(canonical, bases[0].BaseModel, StringComparison.OrdinalIgnoreCase))
                return (null, Problems.BaseMismatch($"'{bases[0].Input}' belongs to '{bases[0].BaseModel}', '{input}' to '{canonical}'."));
        }

        return (bases[0].BaseModel, null);
    }

    private ResolvedInput? Refuse(string place, string message, string code = "invalid-value")
    {
        issues.Add(new IssueView(code, "error", place, message));
        return null;
    }
}

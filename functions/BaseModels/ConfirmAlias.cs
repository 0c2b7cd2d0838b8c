using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.BaseModels;

/// <summary>
/// A publisher confirms which base model a spelling in its adapters stands for; those adapters join that model's library.
/// </summary>
public static class ConfirmAlias
{
    public static async Task<Results<Ok<ConfirmAliasResponse>, ProblemHttpResult>> Handle(
        ConfirmAliasRequest request, Requester requester, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken)
    {
        if (request.Spelling.Trim().Length == 0)
            return Problems.InvalidRequest("spelling", "A spelling can't be empty.");
        if (!BaseModelName.TryParse(request.BaseModel, out _))
            return Problems.InvalidRequest("baseModel", $"'{request.BaseModel}' is not a Hub-style id such as 'org/name'.");
        if (request.Everybody && !requester.Caller.IsAdmin)
            return Problems.Forbidden("Only an admin confirms an alias for everybody.");

        var alias = new BaseModelAlias(
            request.Spelling, request.BaseModel, request.Everybody ? null : requester.Owner, requester.Owner, time.GetUtcNow());
        var joined = await storage.Catalogue.ConfirmAliasAsync(alias, cancellationToken);
        await storage.Audit.WriteAsync(
            new AuditEvent(time.GetUtcNow(), requester.Owner, "confirm-alias", request.Spelling, request.BaseModel), ct: cancellationToken);
        return TypedResults.Ok(new ConfirmAliasResponse(alias.View(), [.. joined.Select(id => id.ToString())]));
    }
}

using Marketplace.Core.Api;
using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.BaseModels;

/// <summary>The base models that have a library, with the aliases that concern the caller.</summary>
public static class ListBaseModels
{
    public static async Task<Ok<ListResponse<BaseModelView>>> Handle(
        Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var aliases = (await AliasesAsync(requester.Caller, storage, cancellationToken))
            .ToLookup(a => a.BaseModel, StringComparer.OrdinalIgnoreCase);
        var views = new List<BaseModelView>();
        foreach (var model in await storage.BaseModels.ListAsync(cancellationToken))
        {
            // A base model that only strangers' private adapters use must not show.
            if ((await storage.Libraries.ListMembersAsync(model.Id, requester.Caller, cancellationToken)).Count > 0)
                views.Add(new BaseModelView(model.Id, [.. aliases[model.Id].Select(a => a.View())]));
        }

        return TypedResults.Ok(new ListResponse<BaseModelView>(views));
    }

    private static async Task<IEnumerable<BaseModelAlias>> AliasesAsync(Caller caller, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var everybody = await storage.BaseModels.ListAliasesAsync(null, cancellationToken);
        return caller.Owner is null ? everybody : everybody.Concat(await storage.BaseModels.ListAliasesAsync(caller.Owner, cancellationToken));
    }
}

/// <summary>What a spelling counts as for the caller's adapters.</summary>
public static class ResolveBaseModel
{
    public static async Task<Results<Ok<BaseModelAliasView>, ProblemHttpResult>> Handle(
        string name, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken) =>
        await storage.BaseModels.ResolveAsync(name, requester.Caller.Owner ?? "", cancellationToken) is { } canonical
            ? TypedResults.Ok(new BaseModelAliasView(name, canonical, null))
            : Problems.NotFound($"base model known as '{name}'; its publisher can confirm an alias");
}

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

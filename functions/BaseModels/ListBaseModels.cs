using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.BaseModels;

/// <summary>The base models that have a library or registered files, with the aliases that concern the caller.</summary>
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
            var weights = await storage.Registrations.NewestAsync(model.Id, cancellationToken);
            // A base model that only strangers' private adapters use must not show, nor must their spelling of its id.
            if (await storage.Libraries.ListMembersAsync(model.Id, requester.Caller, cancellationToken) is [var first, ..])
                views.Add(new BaseModelView(weights?.BaseModel ?? first.BaseModel, [.. aliases[model.Id].Select(a => a.View())], weights?.View()));
            else if (weights is not null)
                views.Add(new BaseModelView(weights.BaseModel, [.. aliases[model.Id].Select(a => a.View())], weights.View()));
        }

        return TypedResults.Ok(new ListResponse<BaseModelView>(views));
    }

    private static async Task<IEnumerable<BaseModelAlias>> AliasesAsync(Caller caller, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var everybody = await storage.BaseModels.ListAliasesAsync(null, cancellationToken);
        return caller.Owner is null ? everybody : everybody.Concat(await storage.BaseModels.ListAliasesAsync(caller.Owner, cancellationToken));
    }
}

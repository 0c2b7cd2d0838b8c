using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Accounts;

/// <summary>Tells a caller who it is.</summary>
public static class WhoAmI
{
    public static Ok<WhoAmIView> Handle(Requester requester) =>
        TypedResults.Ok(new WhoAmIView(requester.Caller.Owner, requester.Caller.Scope is { } scope ? Text.Of(scope) : null, requester.Identity?.ObjectId));
}

using Marketplace.Functions.Http;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>Who the token belongs to, for <c>hf auth login</c> and <c>whoami</c>.</summary>
public static class HubWhoAmI
{
    public static IResult Handle(Requester requester) => HubJson.Answer(new
    {
        type = "user",
        id = requester.Owner.ToLowerInvariant(),
        name = requester.Owner,
        fullname = requester.Owner,
        emailVerified = false,
        isPro = false,
        canPay = false,
        avatarUrl = "",
        orgs = Array.Empty<object>(),
        auth = new { type = "access_token", accessToken = new { displayName = requester.Caller.Via ?? "token", role = requester.Caller.Has(KeyScope.Publish) ? "write" : "read" } },
    });
}

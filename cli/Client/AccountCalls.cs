using Marketplace.Core.Api;

namespace Marketplace.Cli.Client;

/// <summary>The routes on accounts.</summary>
internal static class AccountCalls
{
    public static Task<AccountView> GetAccount(this MarketplaceClient client, string owner, CancellationToken ct) => client.Connection.Get<AccountView>(Route(owner), ct);

    public static Task<AccountView> SetQuota(this MarketplaceClient client, string owner, SetQuotaRequest request, CancellationToken ct) =>
        client.Connection.Put<AccountView>($"{Route(owner)}/quota", request, ct);

    public static Task<ListResponse<IdentityView>> ListIdentities(this MarketplaceClient client, string owner, CancellationToken ct) =>
        client.Connection.Get<ListResponse<IdentityView>>($"{Route(owner)}/identities", ct);

    public static Task<IdentityView> BindIdentity(this MarketplaceClient client, string owner, string objectId, CancellationToken ct) =>
        client.Connection.Put<IdentityView>($"{Route(owner)}/identities/{Uri.EscapeDataString(objectId)}", null, ct);

    public static Task UnbindIdentity(this MarketplaceClient client, string owner, string objectId, CancellationToken ct) =>
        client.Connection.Send(HttpMethod.Delete, $"{Route(owner)}/identities/{Uri.EscapeDataString(objectId)}", ct);

    private static string Route(string owner) => $"accounts/{Uri.EscapeDataString(owner)}";
}

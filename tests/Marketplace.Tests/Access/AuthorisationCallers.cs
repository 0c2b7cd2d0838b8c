using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Microsoft.IdentityModel.Tokens;

namespace Marketplace.Tests.Access;

/// <summary>What a kind of caller is to be answered.</summary>
internal enum Standing
{
    /// <summary>Has sent nothing.</summary>
    Anonymous,

    /// <summary>Has sent something that is not valid: 401 everywhere.</summary>
    Invalid,

    /// <summary>Is known to the tenant and has none of the roles: 403 everywhere.</summary>
    WithoutRole,

    /// <summary>Has a scope, and an account.</summary>
    Account,

    /// <summary>Has a scope, and no account.</summary>
    NoAccount,
}

/// <summary>A caller of the matrix.</summary>
internal sealed record MatrixCaller(string Kind, StackApi Api, Standing Standing, KeyScope? Scope = null, string? Owner = null);

/// <summary>Every kind of caller there is.</summary>
internal static class AuthorisationCallers
{
    public const string Owner = "ann";

    private const string Reader = "Marketplace.Reader";
    private const string Publisher = "Marketplace.Publisher";
    private const string Admin = "Marketplace.Admin";

    public static async Task<IReadOnlyList<MatrixCaller>> CreateAsync(Stack stack, TestIssuer issuer)
    {
        var keys = stack.Storage.Keys;
        async Task<StackApi> Key(string owner, KeyScope scope, DateTimeOffset? expires = null) => stack.Caller((await keys.CreateAsync(owner, "matrix", scope, expires)).Token);
        StackApi Token(string token) => stack.Caller(token);
        async Task<string> Bound()
        {
            var id = NewId();
            await stack.Storage.Identities.BindAsync(new Identity(TestIssuer.TenantId, id), Owner, "admin");
            return id;
        }

        var (revoked, record) = await keys.CreateAsync(Owner, "revoked", KeyScope.Admin, null);
        await keys.RevokeAsync(Owner, record.Id);
        // Whoever shows an invalid token would be an admin with an account, were it valid.
        var bound = await Bound();
        var good = issuer.Token(bound, [Admin]);
        MatrixCaller Invalid(string kind, string? token) => new(kind, stack.Caller(token), Standing.Invalid);

        return
        [
            new("anonymous", stack.Anonymous, Standing.Anonymous),
            Invalid("unknown key", "hf_" + new string('a', 37)),
            Invalid("nonsense", "nonsense"),
            new("expired key", await Key(Owner, KeyScope.Admin, DateTimeOffset.UtcNow.AddMinutes(-1)), Standing.Invalid),
            Invalid("revoked key", revoked),
            new("read key", await Key(Owner, KeyScope.Read), Standing.Account, KeyScope.Read, Owner),
            new("publish key", await Key(Owner, KeyScope.Publish), Standing.Account, KeyScope.Publish, Owner),
            new("stranger's key", await Key("mallory", KeyScope.Publish), Standing.Account, KeyScope.Publish, "mallory"),
            new("admin key", await Key("root", KeyScope.Admin), Standing.Account, KeyScope.Admin, "root"),
            new("operator's key", stack.Admin, Standing.Account, KeyScope.Admin, Authenticator.AdminOwner),

            new("reader with account", Token(issuer.Token(await Bound(), [Reader])), Standing.Account, KeyScope.Read, Owner),
            new("publisher with account", Token(issuer.Token(await Bound(), [Publisher, Reader])), Standing.Account, KeyScope.Publish, Owner),
            new("admin with account", Token(issuer.Token(await Bound(), ["Other.Role", Admin])), Standing.Account, KeyScope.Admin, Owner),
            new("reader without account", Token(issuer.Token(NewId(), [Reader])), Standing.NoAccount, KeyScope.Read),
            new("publisher without account", Token(issuer.Token(NewId(), [Publisher])), Standing.NoAccount, KeyScope.Publish),
            new("admin without account", Token(issuer.Token(NewId(), [Admin])), Standing.Account, KeyScope.Admin, Authenticator.AdminOwner),
            new("no role", Token(issuer.Token(bound, [])), Standing.WithoutRole),
            new("another app's role", Token(issuer.Token(bound, ["marketplace.admin", "Admin"])), Standing.WithoutRole),

            Invalid("expired token", issuer.Token(bound, [Admin], from: TimeSpan.FromHours(-2), until: TimeSpan.FromMinutes(-10))),
            Invalid("token of tomorrow", issuer.Token(bound, [Admin], from: TimeSpan.FromHours(24), until: TimeSpan.FromHours(25))),
            Invalid("wrong audience", issuer.Token(bound, [Admin], audience: "00000003-0000-0000-c000-000000000000")),
            Invalid("wrong issuer", issuer.Token(bound, [Admin], issuer: "https://login.microsoftonline.com/" + TestIssuer.TenantId + "/v2.0")),
            Invalid("another tenant", issuer.Token(bound, [Admin], new() { ["tid"] = NewId() })),
            Invalid("nobody's token", issuer.Token(bound, [Admin], new() { ["oid"] = null })),
            Invalid("ID token", issuer.Token(bound, [Admin], new() { ["azp"] = null })),
            Invalid("wrong key", issuer.Token(bound, [Admin], signing: new(TestIssuer.NewKey(), SecurityAlgorithms.RsaSha256))),
            Invalid("wrong signature", issuer.Token(bound, [Admin], signing: new(new RsaSecurityKey(TestIssuer.NewKey().Rsa) { KeyId = issuer.Key.KeyId }, SecurityAlgorithms.RsaSha256))),
            Invalid("tampered token", TestIssuer.Tampered(issuer.Token(bound, [Reader]), Reader, Admin)),
            Invalid("public key as secret", issuer.Token(bound, [Admin], signing: issuer.PublicKeyAsSecret())),
            Invalid("another algorithm", issuer.Token(bound, [Admin], signing: new(issuer.Key, SecurityAlgorithms.RsaSha512))),
            Invalid("no algorithm", TestIssuer.Unsigned(good)),
            Invalid("no signature", good[..(good.LastIndexOf('.') + 1)]),
        ];
    }

    private static string NewId() => Guid.NewGuid().ToString("D");
}

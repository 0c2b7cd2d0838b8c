using Marketplace.Storage;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Marketplace.Functions.Http;

/// <summary>What a token turned out to be.</summary>
public abstract record TokenOutcome
{
    private TokenOutcome()
    {
    }

    /// <summary>The tenant's word for who sends the request.</summary>
    /// <param name="Identity">A person, a service principal or a managed identity.</param>
    /// <param name="Scope">The widest of its roles; null if it has none of ours.</param>
    public sealed record Valid(Identity Identity, KeyScope? Scope) : TokenOutcome;

    /// <summary>Not a token that is taken.</summary>
    public sealed record Invalid(string Reason) : TokenOutcome;

    /// <summary>The issuer can't be asked.</summary>
    public sealed record Unavailable : TokenOutcome;
}

/// <summary>Validates access tokens of the one Entra tenant that the options name: signature, issuer, audience, lifetime, roles.</summary>
public sealed class EntraTokens(IOptions<EntraOptions> options, EntraIssuer issuer)
{
    /// <summary>The app roles, and the scope of a key that each is like.</summary>
    public static IReadOnlyDictionary<string, KeyScope> Roles { get; } = new Dictionary<string, KeyScope>(StringComparer.Ordinal)
    {
        ["Marketplace.Reader"] = KeyScope.Read,
        ["Marketplace.Publisher"] = KeyScope.Publish,
        ["Marketplace.Admin"] = KeyScope.Admin,
    };

    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(1);

    // Thread-safe; keeps the claims' own names.
    private static readonly JsonWebTokenHandler Handler = new() { MapInboundClaims = false };

    /// <summary>Whether tokens are taken here, and this has the form of one.</summary>
    public bool Takes(string bearer) => options.Value.Enabled && bearer.Count(c => c == '.') == 2;

    /// <summary>Validates a token. Nothing of it is ever logged.</summary>
    public async Task<TokenOutcome> ValidateAsync(string token, CancellationToken cancellationToken)
    {
        if (await issuer.GetAsync(null, cancellationToken) is not { } configuration)
            return new TokenOutcome.Unavailable();
        var result = await Handler.ValidateTokenAsync(token, Parameters(configuration));
        if (result.Exception is SecurityTokenSignatureKeyNotFoundException)
        {
            if (await issuer.GetAsync(configuration, cancellationToken) is not { } renewed)
                return new TokenOutcome.Unavailable();
            if (renewed != configuration)
                result = await Handler.ValidateTokenAsync(token, Parameters(renewed));
        }

        return result is { IsValid: true, SecurityToken: JsonWebToken valid } ? Read(valid) : new TokenOutcome.Invalid(Reason(result.Exception));
    }

    private TokenValidationParameters Parameters(OpenIdConnectConfiguration configuration) => new()
    {
        ValidIssuer = configuration.Issuer,
        ValidAudiences = options.Value.Audiences,
        IssuerSigningKeys = configuration.SigningKeys,
        ValidateIssuerSigningKey = true,
        TryAllIssuerSigningKeys = false,
        // Entra signs with nothing else; a public key is no secret for HS256.
        ValidAlgorithms = [SecurityAlgorithms.RsaSha256],
        ValidTypes = ["JWT", "at+jwt"],
        RequireSignedTokens = true,
        RequireExpirationTime = true,
        ClockSkew = Skew,
    };

    private TokenOutcome Read(JsonWebToken token)
    {
        string? Claim(string name) => token.TryGetPayloadValue<string>(name, out var value) ? value : null;

        var tenant = options.Value.TenantId!;
        if (!string.Equals(Claim("tid"), tenant, StringComparison.OrdinalIgnoreCase))
            return new TokenOutcome.Invalid("It is of another tenant.");
        if (!Guid.TryParseExact(Claim("oid"), "D", out var person))
            return new TokenOutcome.Invalid("It does not say who it is for (oid).");
        // An ID token of the same registration has the same audience and roles; only access tokens name the client they were given to.
        if (Claim("azp") is not { Length: > 0 })
            return new TokenOutcome.Invalid("It is no access token of version 2.0 (azp).");
        var scopes = token.Claims.Where(c => c.Type == "roles" && Roles.ContainsKey(c.Value)).Select(c => Roles[c.Value]).ToList();
        return new TokenOutcome.Valid(new Identity(tenant, person.ToString("D")), scopes.Count == 0 ? null : scopes.Max());
    }

    private static string Reason(Exception? exception) => exception switch
    {
        SecurityTokenExpiredException => "It has expired.",
        SecurityTokenNotYetValidException => "It is not valid yet.",
        SecurityTokenInvalidAudienceException => "It is for another audience.",
        SecurityTokenInvalidIssuerException => "It is of another issuer.",
        _ => "It is not signed by the tenant that is trusted here.",
    };
}

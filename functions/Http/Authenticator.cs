using Marketplace.Storage;
using Microsoft.Extensions.Primitives;

namespace Marketplace.Functions.Http;

/// <summary>Finds who sends a request by what it is authorised with: an API key, or a token of Entra ID whose identity an admin has bound to an account.</summary>
public sealed class Authenticator(MarketplaceStorage storage, EntraTokens tokens, KeyUses uses)
{
    /// <summary>The account of admins, who need not be bound to one.</summary>
    public const string AdminOwner = "admin";

    private const string Scheme = "Bearer ";
    private const string KeyPrefix = "hf_";

    /// <summary>The sender, or the problem to answer with.</summary>
    internal async Task<Found<Requester>> FindAsync(StringValues header, HttpContext context)
    {
        if (header is not [{ } text] || !text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return Problems.Unauthenticated;
        var bearer = text[Scheme.Length..].Trim();
        return !bearer.StartsWith(KeyPrefix, StringComparison.Ordinal) && tokens.Takes(bearer)
            ? await OfTokenAsync(bearer, context.RequestAborted)
            : await OfKeyAsync(bearer, context);
    }

    private async Task<Found<Requester>> OfKeyAsync(string bearer, HttpContext context)
    {
        // What only reads in the Hub's protocol is asked so often that the lookup would bound it (ADR 28).
        var known = context.GetEndpoint()?.Metadata.GetMetadata<HttpFunction>() is { Hub: true, Writes: false }
            ? storage.Keys.AuthenticateRecentAsync(bearer, context.RequestAborted) : storage.Keys.AuthenticateAsync(bearer, context.RequestAborted);
        if (await known is not { } key)
            return Problems.Unauthenticated;
        uses.Note(key, context);
        return new Requester(new Caller(key.Owner, key.Scope) { Via = $"key:{key.Id}" });
    }

    private async Task<Found<Requester>> OfTokenAsync(string bearer, CancellationToken cancellationToken)
    {
        switch (await tokens.ValidateAsync(bearer, cancellationToken))
        {
            case TokenOutcome.Unavailable:
                return Problems.IdentityUnavailable;
            case TokenOutcome.Valid { Scope: null } valid:
                return Problems.Forbidden($"The identity {valid.Identity.ObjectId} has none of the roles {string.Join(", ", EntraTokens.Roles.Keys)}.");
            case TokenOutcome.Valid valid:
                var owner = (await storage.Identities.FindAsync(valid.Identity, cancellationToken))?.Owner;
                return new Requester(new Caller(owner ?? (valid.Scope == KeyScope.Admin ? AdminOwner : null), valid.Scope) { Via = $"identity:{valid.Identity.ObjectId}" }, valid.Identity);
            case TokenOutcome.Invalid invalid:
                return Problems.InvalidToken(invalid.Reason);
            default:
                throw new InvalidOperationException("A token has an outcome that nobody foresaw.");
        }
    }
}

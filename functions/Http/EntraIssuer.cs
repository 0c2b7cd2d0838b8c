using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Marketplace.Functions.Http;

/// <summary>
/// What the issuer says of itself: its name and its signing keys, by OpenID Connect discovery. Kept for half a day; asked again at once, but not too often, when a token names a key
/// that is not among them, so that a rollover costs nobody a refusal and made-up keys cost the issuer next to nothing.
/// </summary>
public sealed class EntraIssuer(IOptions<EntraOptions> options, TimeProvider time, ILogger<EntraIssuer> logger) : IDisposable
{
    private static readonly TimeSpan Fresh = TimeSpan.FromHours(12);

    // While the issuer does not answer, its keys are believed for so long.
    private static readonly TimeSpan Usable = TimeSpan.FromHours(24);

    private readonly HttpClient http = new() { Timeout = TimeSpan.FromSeconds(5) };
    private readonly SemaphoreSlim gate = new(1);
    private volatile Known? known;
    private DateTimeOffset triedAt = DateTimeOffset.MinValue;
    private bool failed;

    private sealed record Known(OpenIdConnectConfiguration Configuration, DateTimeOffset ReadAt);

    /// <summary>The issuer's keys; null if they can't be had.</summary>
    /// <param name="lacking">What this gave before, if it lacks the key that is wanted.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<OpenIdConnectConfiguration?> GetAsync(OpenIdConnectConfiguration? lacking, CancellationToken cancellationToken)
    {
        if (Kept(lacking) is { } kept)
            return kept;
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (Kept(lacking) is { } meanwhile)
                return meanwhile;
            var now = time.GetUtcNow();
            if (now - triedAt >= options.Value.RefreshInterval)
                await ReadAsync(now);
            // Whether a key that is not known exists can't be said without the issuer.
            return (failed && lacking is not null) || known is null || now - known.ReadAt > Usable ? null : known.Configuration;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        http.Dispose();
        gate.Dispose();
    }

    private OpenIdConnectConfiguration? Kept(OpenIdConnectConfiguration? lacking) =>
        known is { } present && time.GetUtcNow() - present.ReadAt < Fresh && present.Configuration != lacking ? present.Configuration : null;

    // Others wait for this, so it does not end with the request that began it.
    private async Task ReadAsync(DateTimeOffset now)
    {
        var issuer = options.Value.Issuer;
        (triedAt, failed) = (now, true);
        try
        {
            var retriever = new HttpDocumentRetriever(http) { RequireHttps = !issuer.IsLoopback };
            var read = await OpenIdConnectConfigurationRetriever.GetAsync(
                $"{issuer.AbsoluteUri.TrimEnd('/')}/.well-known/openid-configuration", retriever, CancellationToken.None);
            // OpenID Connect Discovery, section 4.3: who answers for an issuer must be that issuer.
            if (read.Issuer?.TrimEnd('/') != issuer.AbsoluteUri.TrimEnd('/') || read.SigningKeys.Count == 0)
                throw new InvalidDataException($"The metadata are those of '{read.Issuer}', with {read.SigningKeys.Count} keys.");
            (known, failed) = (new(read, now), false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            logger.LogWarning("The issuer {Issuer} does not answer as it should: {Reason}", issuer, e.GetBaseException().Message);
        }
    }
}

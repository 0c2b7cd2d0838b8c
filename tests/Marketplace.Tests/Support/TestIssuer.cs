using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Marketplace.Tests.Support;

/// <summary>An issuer of tokens on loopback: OpenID Connect metadata, keys made here, and access tokens of the form that Entra gives out, or of wrong forms.</summary>
internal sealed class TestIssuer : IDisposable
{
    public const string TenantId = "6b1f2f0e-5a53-4f3c-9d4b-0f5f7b0f3a11";
    public const string Audience = "d7c3c0a2-4a49-4a39-8f0c-94b1d2a1c5e2";

    private readonly WebApplication app;
    private readonly List<RsaSecurityKey> published = [];

    public TestIssuer()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        app = builder.Build();
        app.Run(AnswerAsync);
        app.Start();
        Authority = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + $"/{TenantId}/v2.0";
        Roll();
    }

    /// <summary>Its name, under which its metadata are found.</summary>
    public string Authority { get; }

    /// <summary>While false it does not answer.</summary>
    public bool Reachable { get; set; } = true;

    /// <summary>How often its keys were read.</summary>
    public int Reads { get; private set; }

    /// <summary>The key that signs.</summary>
    public RsaSecurityKey Key { get; private set; } = null!;

    /// <summary>What makes a host trust it.</summary>
    public Dictionary<string, string> Environment => new()
    {
        ["Marketplace__Entra__TenantId"] = TenantId,
        ["Marketplace__Entra__Authority"] = Authority,
        ["Marketplace__Entra__Audience"] = Audience,
        ["Marketplace__Entra__RefreshInterval"] = "00:00:00",
    };

    /// <summary>A new key signs from now on, and is published beside the ones before.</summary>
    public void Roll()
    {
        Key = NewKey();
        published.Add(Key);
    }

    /// <summary>A key that nobody publishes.</summary>
    public static RsaSecurityKey NewKey() => new(RSA.Create(2048)) { KeyId = Guid.NewGuid().ToString("N") };

    /// <summary>An access token; null removes a claim.</summary>
    public string Token(
        string objectId, string[] roles, Dictionary<string, object?>? claims = null, string? issuer = null, string? audience = null, TimeSpan? from = null, TimeSpan? until = null,
        SigningCredentials? signing = null)
    {
        var now = DateTime.UtcNow;
        var all = new Dictionary<string, object?> { ["tid"] = TenantId, ["oid"] = objectId, ["azp"] = Guid.NewGuid().ToString(), ["ver"] = "2.0", ["sub"] = "somebody", ["roles"] = roles };
        foreach (var (name, value) in claims ?? [])
            all[name] = value;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer ?? Authority,
            Audience = audience ?? Audience,
            NotBefore = now + (from ?? TimeSpan.FromMinutes(-5)),
            IssuedAt = now + (from ?? TimeSpan.FromMinutes(-5)),
            Expires = now + (until ?? TimeSpan.FromHours(1)),
            Claims = all.Where(c => c.Value is not null).ToDictionary(c => c.Key, c => c.Value!),
            SigningCredentials = signing ?? new SigningCredentials(Key, SecurityAlgorithms.RsaSha256),
        });
    }

    /// <summary>The token with the algorithm <c>none</c> and no signature.</summary>
    public static string Unsigned(string token) => $"{Base64UrlEncoder.Encode("""{"alg":"none","typ":"JWT"}""")}.{token.Split('.')[1]}.";

    /// <summary>The token with other claims under the old signature.</summary>
    public static string Tampered(string token, string claim, string other)
    {
        var parts = token.Split('.');
        var payload = Base64UrlEncoder.Decode(parts[1]).Replace(claim, other, StringComparison.Ordinal);
        return $"{parts[0]}.{Base64UrlEncoder.Encode(payload)}.{parts[2]}";
    }

    /// <summary>Signs with the public key, as everybody knows it, for a secret.</summary>
    public SigningCredentials PublicKeyAsSecret() => new(
        new SymmetricSecurityKey(Encoding.ASCII.GetBytes(Key.Rsa.ExportSubjectPublicKeyInfoPem())) { KeyId = Key.KeyId }, SecurityAlgorithms.HmacSha256);

    public void Dispose() => ((IDisposable)app).Dispose();

    private async Task AnswerAsync(HttpContext context)
    {
        if (!Reachable)
        {
            context.Abort();
            return;
        }

        object? answer = context.Request.Path.Value switch
        {
            $"/{TenantId}/v2.0/.well-known/openid-configuration" => new { issuer = Authority, jwks_uri = $"{Authority}/keys" },
            $"/{TenantId}/v2.0/keys" => new { keys = published.Select(PublicPart) },
            _ => null,
        };
        if (answer is null)
        {
            context.Response.StatusCode = 404;
            return;
        }

        Reads++;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(JsonSerializer.Serialize(answer));
    }

    private static object PublicPart(RsaSecurityKey key)
    {
        var parameters = key.Rsa.ExportParameters(includePrivateParameters: false);
        return new { kty = "RSA", use = "sig", kid = key.KeyId, n = Base64UrlEncoder.Encode(parameters.Modulus), e = Base64UrlEncoder.Encode(parameters.Exponent) };
    }
}

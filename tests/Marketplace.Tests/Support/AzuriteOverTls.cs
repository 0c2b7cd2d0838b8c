using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Azure.Core;
using Azure.Core.Pipeline;
using Marketplace.Cli.Azurite;
using Marketplace.Storage;
using Xunit;

namespace Marketplace.Tests.Support;

/// <summary>
/// An Azurite that takes tokens: over TLS, with a certificate made here, which its clients trust and no other. It looks at a token's issuer, audience and times, and not at its signature; who may do what it
/// does not know. So it shows that every request goes with an identity alone, and what signed addresses allow, not that roles are enough.
/// </summary>
public sealed partial class AzuriteOverTls : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory("marketplace-azurite-tls-").FullName;
    private readonly Dictionary<string, Uri> services = new(StringComparer.Ordinal);
    private SocketsHttpHandler? handler;
    private Process? process;

    /// <summary>A client that trusts the certificate.</summary>
    public HttpClient Http { get; private set; } = null!;

    /// <summary>Keys that were asked for, to sign addresses with.</summary>
    public int DelegatedKeys { get; private set; }

    /// <summary>Headers <c>Authorization</c> that were sent, by their first word.</summary>
    public HashSet<string> Schemes { get; } = new(StringComparer.Ordinal);

    /// <summary>Options for a namespace that nobody else uses, with an identity and no key.</summary>
    public StorageOptions NewOptions() => new()
    {
        BlobServiceUri = services["Blob"],
        QueueServiceUri = services["Queue"],
        TableServiceUri = services["Table"],
        Namespace = "t" + Guid.NewGuid().ToString("N")[..15],
        Identity = new Identity(),
        Transport = new HttpClientTransport(new HttpClient(new Counting(this) { InnerHandler = handler! }, disposeHandler: false)),
        PollInterval = TimeSpan.FromMilliseconds(50),
    };

    public async ValueTask InitializeAsync()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var (certificatePath, keyPath) = (Path.Combine(folder, "cert.pem"), Path.Combine(folder, "key.pem"));
        await File.WriteAllTextAsync(certificatePath, certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(keyPath, key.ExportPkcs8PrivateKeyPem());

        var digest = certificate.GetCertHashString(HashAlgorithmName.SHA256);
        handler = new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = (_, seen, _, _) => seen?.GetCertHashString(HashAlgorithmName.SHA256) == digest },
        };
        Http = new HttpClient(handler);
        var script = await AzuriteInstall.EnsureAsync();
        process = AzuriteInstall.Start(new ProcessStartInfo("node",
        [
            AzuriteInstall.HostScript, script, "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--blobPort", "0", "--queuePort", "0", "--tablePort", "0",
            "-l", folder, "--oauth", "basic", "--cert", certificatePath, "--key", keyPath,
        ])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        });
        while (services.Count < 3)
        {
            var line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("Azurite ended before it was ready.");
            if (Listening().Match(line) is { Success: true } match)
                services[match.Groups["service"].Value] = new Uri($"https://127.0.0.1:{match.Groups["port"].Value}/devstoreaccount1");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
        {
            process.StandardInput.Close();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        Http?.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [GeneratedRegex(@"^Azurite (?<service>Blob|Queue|Table) service is successfully listening at https://127\.0\.0\.1:(?<port>\d+)")]
    private static partial Regex Listening();

    /// <summary>Notes what requests carry.</summary>
    private sealed class Counting(AzuriteOverTls azurite) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            lock (azurite.Schemes)
            {
                azurite.Schemes.Add(request.Headers.Authorization?.Scheme ?? "none");
                azurite.DelegatedKeys += request.RequestUri!.Query.Contains("comp=userdelegationkey", StringComparison.Ordinal) ? 1 : 0;
            }

            return base.SendAsync(request, cancellationToken);
        }
    }

    /// <summary>Says who it is, as Entra ID would; unsigned, since nobody looks.</summary>
    private sealed class Identity : TokenCredential
    {
        private const string Tenant = "11111111-1111-1111-1111-111111111111";

        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken)
        {
            var (now, expires) = (DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddHours(1));
            var claims = JsonSerializer.Serialize(new
            {
                aud = "https://storage.azure.com",
                iss = $"https://sts.windows.net/{Tenant}/",
                nbf = now.AddMinutes(-5).ToUnixTimeSeconds(),
                iat = now.AddMinutes(-5).ToUnixTimeSeconds(),
                exp = expires.ToUnixTimeSeconds(),
                oid = "22222222-2222-2222-2222-222222222222",
                tid = Tenant,
            });
            return new AccessToken($"{Part("""{"alg":"RS256","typ":"JWT"}""")}.{Part(claims)}.{Part("unsigned")}", expires);
        }

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) => new(GetToken(requestContext, cancellationToken));

        private static string Part(string text) => System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
    }
}

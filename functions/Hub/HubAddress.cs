using Marketplace.Functions.Http;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hub;

/// <summary>The service's address as the client knows it: clients take apart what answers say, and refuse another host.</summary>
public sealed class HubAddress(IOptions<RateLimitOptions> options)
{
    /// <summary>Scheme and host of a request, without a slash at the end. What proxies say of it counts only where they are trusted to say who the client is.</summary>
    internal string Of(HttpRequest request)
    {
        var (scheme, host) = (request.Scheme, request.Host.ToUriComponent());
        if (options.Value.TrustedProxies > 0)
        {
            if (Last(request.Headers["X-Forwarded-Proto"]) is { } proto && (proto.Equals("http", StringComparison.OrdinalIgnoreCase) || proto.Equals("https", StringComparison.OrdinalIgnoreCase)))
                scheme = proto.ToLowerInvariant();
            if (Last(request.Headers["X-Forwarded-Host"]) is { } forwarded && Uri.TryCreate($"{scheme}://{forwarded}", UriKind.Absolute, out var uri) && uri is { PathAndQuery: "/", UserInfo: "" })
                host = forwarded;
        }

        return $"{scheme}://{host}";
    }

    // The last entry is the one that the nearest proxy wrote.
    private static string? Last(Microsoft.Extensions.Primitives.StringValues values) =>
        values.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) is [.., var last] ? last : null;
}

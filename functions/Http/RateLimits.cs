using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Marketplace.Functions.Hub;
using Marketplace.Storage;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Http;

/// <summary>Token buckets: for each account, or address without account, one for each cost; and for each address one for what fails to authenticate.</summary>
public sealed class RateLimits : IDisposable
{
    private readonly RateLimitOptions options;
    private readonly PartitionedRateLimiter<Bucket> buckets;

    public RateLimits(IOptions<RateLimitOptions> options)
    {
        this.options = options.Value;
        // Buckets that are full again are forgotten.
        buckets = PartitionedRateLimiter.Create<Bucket, Bucket>(bucket => RateLimitPartition.GetTokenBucketLimiter(bucket, Bounds));
    }

    private readonly record struct Bucket(string Who, RequestCost? Cost, bool Admin);

    /// <summary>Counts a request; returns how long to wait if it is one too many.</summary>
    public TimeSpan? Take(HttpContext context, Caller caller, HttpFunction? function)
    {
        var who = caller.Owner is { } owner ? "o|" + owner.ToLowerInvariant() : Address(context);
        return Take(new Bucket(who, CostOf(context, function), caller.IsAdmin));
    }

    /// <summary>Whether so much from the sender's address was not valid that nothing more is looked up; returns how long to wait.</summary>
    public TimeSpan? FailedTooOften(HttpContext context) =>
        // Asking for no permits would succeed as soon as a fraction of one is back.
        buckets.GetStatistics(Failures(context)) is { CurrentAvailablePermits: 0 } ? TimeSpan.FromMinutes(1.0 / options.FailuresPerMinute) : null;

    /// <summary>Counts a key or token that was not valid.</summary>
    public void CountFailure(HttpContext context) => Take(Failures(context));

    /// <inheritdoc/>
    public void Dispose() => buckets.Dispose();

    /// <summary>The sender's address as the outermost trusted proxy saw it; of IPv6, the network that one customer has.</summary>
    internal static string Address(IPAddress? connection, string? forwarded, int trustedProxies)
    {
        var address = connection ?? IPAddress.None;
        if (trustedProxies > 0 && forwarded?.Split(',', StringSplitOptions.TrimEntries) is { } hops && hops.Length >= trustedProxies && Parse(hops[^trustedProxies]) is { } client)
            address = client;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return address.AddressFamily == AddressFamily.InterNetworkV6
            ? "a|" + Convert.ToHexStringLower(address.GetAddressBytes().AsSpan(0, 8))
            : "a|" + address;
    }

    private string Address(HttpContext context) =>
        Address(context.Connection.RemoteIpAddress, context.Request.Headers["X-Forwarded-For"].ToString(), options.TrustedProxies);

    // Some proxies add the port.
    private static IPAddress? Parse(string hop) =>
        IPAddress.TryParse(hop, out var address) ? address : IPEndPoint.TryParse(hop, out var end) ? end.Address : null;

    private static RequestCost CostOf(HttpContext context, HttpFunction? function) =>
        function?.ExpensiveWith is { } parameter && context.Request.Query.ContainsKey(parameter) ? RequestCost.Expensive
        : function is { Hub: true } && HubVariants.IsName(context.Request.RouteValues["revision"] as string) ? RequestCost.Expensive
        : function?.Cost ?? RequestCost.Read;

    private Bucket Failures(HttpContext context) => new(Address(context), null, false);

    private TimeSpan? Take(Bucket bucket)
    {
        using var lease = buckets.AttemptAcquire(bucket);
        if (lease.IsAcquired)
            return null;
        return lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1);
    }

    private TokenBucketRateLimiterOptions Bounds(Bucket bucket)
    {
        var perMinute = bucket.Cost switch
        {
            RequestCost.Read => options.ReadsPerMinute,
            RequestCost.Write => options.WritesPerMinute,
            RequestCost.Expensive => options.ExpensivePerMinute,
            _ => options.FailuresPerMinute,
        } * (bucket.Admin ? options.AdminFactor : 1);
        var perSecond = perMinute / 60;
        return new TokenBucketRateLimiterOptions
        {
            TokenLimit = perMinute,
            TokensPerPeriod = Math.Max(1, perSecond),
            ReplenishmentPeriod = perSecond > 0 ? TimeSpan.FromSeconds(1) : TimeSpan.FromMinutes(1.0 / perMinute),
            QueueLimit = 0,
        };
    }
}

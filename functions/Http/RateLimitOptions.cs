using System.ComponentModel.DataAnnotations;

namespace Marketplace.Functions.Http;

/// <summary>
/// Requests that an account, or an address without account, may send, from the section <c>Marketplace:Limits</c>. Each instance counts by itself, so that all together let through as many
/// times that as there are instances. What may be sent in a minute may also be sent at once.
/// </summary>
public sealed class RateLimitOptions
{
    /// <summary>The configuration section, shared with the quotas.</summary>
    public const string Section = "Marketplace:Limits";

    /// <summary>Requests that only look something up.</summary>
    [Range(1, 10_000_000)]
    public int ReadsPerMinute { get; init; } = 12_000;

    /// <summary>Requests that change something.</summary>
    [Range(1, 10_000_000)]
    public int WritesPerMinute { get; init; } = 3_000;

    /// <summary>Requests that compute while the caller waits.</summary>
    [Range(1, 10_000_000)]
    public int ExpensivePerMinute { get; init; } = 600;

    /// <summary>Keys and tokens that are not valid, by address; further ones are not even looked up.</summary>
    [Range(1, 10_000_000)]
    public int FailuresPerMinute { get; init; } = 300;

    /// <summary>How many times as much an admin may send.</summary>
    [Range(1, 1000)]
    public int AdminFactor { get; init; } = 10;

    /// <summary>
    /// How many proxies stand before the app and append to <c>X-Forwarded-For</c>; what stands before their entries is the client's own claim. 0: the connection's address counts. On Azure
    /// the platform's front end is one.
    /// </summary>
    [Range(0, 10)]
    public int TrustedProxies { get; init; }
}

using Marketplace.Core;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.Features;

namespace Marketplace.Functions.Http;

/// <summary>Who sent the request: bound into handlers from what <see cref="Authentication"/> found.</summary>
/// <param name="Caller">The account, and what it may do.</param>
/// <param name="Identity">Who in the tenant it is, if it came with a token.</param>
public sealed record Requester(Caller Caller, Identity? Identity = null)
{
    /// <summary>A sender without key or token.</summary>
    public static Requester Anonymous { get; } = new(Caller.Anonymous);

    /// <summary>The account; only for functions that need one.</summary>
    public string Owner => Caller.Owner ?? throw new InvalidOperationException("The function table lets anonymous callers in.");

    /// <summary>Whether the caller may write what belongs to <paramref name="owner"/>.</summary>
    public bool Owns(string owner) => Caller.Is(owner);

    /// <summary>Whether the caller may write to the adapter.</summary>
    public bool Owns(AdapterId adapter) => Owns(adapter.Owner);

    public static ValueTask<Requester?> BindAsync(HttpContext context) =>
        ValueTask.FromResult<Requester?>(context.Features.GetRequiredFeature<Requester>());
}

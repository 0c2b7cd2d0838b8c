using Marketplace.Core;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.Features;

namespace Marketplace.Functions.Http;

/// <summary>Who sent the request: bound into handlers from what <see cref="Authentication"/> found.</summary>
public sealed record Requester(Caller Caller)
{
    /// <summary>The account; only for functions that need a key.</summary>
    public string Owner => Caller.Owner ?? throw new InvalidOperationException("The function table lets anonymous callers in.");

    /// <summary>Whether the caller may write what belongs to <paramref name="owner"/>.</summary>
    public bool Owns(string owner) => Caller.Is(owner);

    /// <summary>Whether the caller may write to the adapter.</summary>
    public bool Owns(AdapterId adapter) => Owns(adapter.Owner);

    public static ValueTask<Requester?> BindAsync(HttpContext context) =>
        ValueTask.FromResult<Requester?>(context.Features.GetRequiredFeature<Requester>());
}

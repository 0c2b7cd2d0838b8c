using Marketplace.Storage;

namespace Marketplace.Functions.Http;

/// <summary>Finds the caller by its key and holds it against the scope that the function asks for.</summary>
public sealed class Authentication(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext context, MarketplaceStorage storage)
    {
        var caller = Caller.Anonymous;
        if (context.Request.Headers.Authorization is [{ } header])
        {
            // A key that is wrong is an error even where none is needed: the sender believes to be somebody.
            if (await AuthenticateAsync(header, storage, context.RequestAborted) is not { } known)
            {
                await Problems.Unauthenticated.ExecuteAsync(context);
                return;
            }

            caller = known;
        }

        if (context.GetEndpoint()?.Metadata.GetMetadata<HttpFunction>() is { Access: { } needed })
        {
            if (caller.Scope is not { } scope)
            {
                await Problems.Unauthenticated.ExecuteAsync(context);
                return;
            }

            if (scope < needed)
            {
                await Problems.Forbidden($"The key's scope is '{scope.ToString().ToLowerInvariant()}', this needs '{needed.ToString().ToLowerInvariant()}'.").ExecuteAsync(context);
                return;
            }
        }

        context.Features.Set(new Requester(caller));
        await next(context);
    }

    private static async Task<Caller?> AuthenticateAsync(string header, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        const string Scheme = "Bearer ";
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return null;
        var key = await storage.Keys.AuthenticateAsync(header[Scheme.Length..].Trim(), cancellationToken);
        return key is null ? null : new Caller(key.Owner, key.Scope) { Via = $"key:{key.Id}" };
    }
}

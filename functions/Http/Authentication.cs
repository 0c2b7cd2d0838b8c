using System.Globalization;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Http;

/// <summary>Finds out who sends the request, whether it sends too many, and whether the function asked for is open to it.</summary>
public sealed class Authentication(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext context, Authenticator authenticator, RateLimits limits)
    {
        var requester = Requester.Anonymous;
        // A key that is wrong is an error even where none is needed: the sender believes to be somebody.
        if (context.Request.Headers.Authorization is { Count: > 0 } header)
        {
            if (limits.FailedTooOften(context) is { } later)
            {
                await RefuseAsync(context, later, "Too many requests with keys or tokens that are not valid came from this address.");
                return;
            }

            var (known, problem) = await authenticator.FindAsync(header, context);
            if (known is null)
            {
                if (problem!.StatusCode == StatusCodes.Status401Unauthorized)
                    limits.CountFailure(context);
                await problem.ExecuteAsync(context);
                return;
            }

            requester = known;
        }

        context.Features.Set(requester);
        var function = context.GetEndpoint()?.Metadata.GetMetadata<HttpFunction>();
        if (limits.Take(context, requester.Caller, function) is { } wait)
        {
            await RefuseAsync(context, wait, requester.Caller.Owner is { } owner ? $"The account '{owner}' sends too many requests." : "Too many requests come from this address.");
            return;
        }

        if (function is { Access: { } needed } && Refusal(requester, needed) is { } refusal)
        {
            await refusal.ExecuteAsync(context);
            return;
        }

        await next(context);
    }

    private static ProblemHttpResult? Refusal(Requester requester, KeyScope needed)
    {
        if (requester.Caller.Scope is not { } scope)
            return Problems.Unauthenticated;
        if (scope < needed)
            return Problems.Forbidden($"The {(requester.Identity is null ? "key's scope" : "token's role")} is '{Text.Of(scope)}', this needs '{Text.Of(needed)}'.");
        return requester.Caller.Owner is null ? Problems.NoAccount(requester.Identity!.ObjectId) : null;
    }

    private static Task RefuseAsync(HttpContext context, TimeSpan wait, string detail)
    {
        var seconds = (int)Math.Ceiling(Math.Max(1, wait.TotalSeconds));
        context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return Problems.TooManyRequests($"{detail} Try again in {seconds} s.").ExecuteAsync(context);
    }
}

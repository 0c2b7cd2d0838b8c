using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>
/// Takes an adapter down: from this answer on nobody gets it by any route, and its descendants are flagged or go down with it. Asked again, it changes reason and message, and finishes what was interrupted.
/// </summary>
public static class TakeDownAdapter
{
    private const int MaxMessage = 500;

    public static async Task<Results<Ok<TakedownView>, ProblemHttpResult>> Handle(
        string owner, string name, TakedownRequest request, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (!Text.TryParse<TakedownReason>(request.Reason, out var reason))
            return Problems.InvalidRequest("reason", $"A reason is one of: {Text.Choices<TakedownReason>()}.");
        if (!Text.TryParse<DescendantPolicy>(request.Descendants, out var descendants))
            return Problems.InvalidRequest("descendants", $"Descendants are dealt with in one of these ways: {Text.Choices<DescendantPolicy>()}.");
        if (request.Message?.Length > MaxMessage)
            return Problems.InvalidRequest("message", $"A message has at most {MaxMessage} characters.");
        if (await Lookup.KnownAsync(storage, requester.Caller, owner, name, cancellationToken) is not { } adapter)
            return Problems.NotFound($"adapter '{owner}/{name}'");

        var order = new TakedownOrder(reason, request.Message, descendants, request.Copies, requester.Owner);
        return await storage.Takedowns.TakeDownAsync(adapter.Id, order, cancellationToken) is { } report
            ? TypedResults.Ok(await TakedownViews.FullAsync(report.Adapter, storage, requester.Caller, report.Flagged, cancellationToken))
            : Problems.Conflict($"'{adapter.Id}' is being restored by another request.");
    }
}

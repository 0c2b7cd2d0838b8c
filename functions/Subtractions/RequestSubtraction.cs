using System.Collections.Immutable;
using Marketplace.Core.Api;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Subtractions;

/// <summary>Asks for GenKnowSub: a new version whose ΔW is the target's minus the general adapters'. Nothing stored changes.</summary>
public static class RequestSubtraction
{
    private const int MaxGeneral = 20;

    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        SubtractionRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs, CancellationToken cancellationToken)
    {
        if (JobRequests.Check(requester, request.Output, request.Rank, request.Energy, request.Dtype) is { } problem)
            return problem;
        if (!double.IsFinite(request.Beta))
            return Problems.InvalidRequest("beta", "β is a finite number.");
        if (request.General.Count is 0 or > MaxGeneral)
            return Problems.InvalidRequest("general", $"A subtraction has 1 to {MaxGeneral} general adapters.");

        var resolver = new InputResolver(storage, requester);
        var inputs = ImmutableArray.CreateBuilder<ResolvedInput>();
        if (await resolver.AddAsync("target", request.Target, 1, "target", cancellationToken) is { } target)
            inputs.Add(target);
        foreach (var (general, index) in request.General.Select((general, index) => (general, index)))
        {
            if (await resolver.AddAsync($"general[{index}]", general.Adapter, general.Weight, "general", cancellationToken) is { } resolved)
                inputs.Add(resolved);
        }

        var (baseModel, mismatch) = resolver.Finish();
        if (mismatch is not null)
            return mismatch;
        var canonical = new DerivationRequest(
            DerivationRequest.GenKnowSub, inputs.ToImmutable(), baseModel!, request.Output.Adapter, request.Output.Private,
            request.Rank, request.Energy, null, request.Beta, request.Dtype);
        return await jobs.SubmitAsync(JobKind.Subtraction, requester.Owner, canonical.ToJson(), QueueNames.FunctionsJobs, cancellationToken);
    }
}

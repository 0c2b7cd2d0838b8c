using System.Collections.Immutable;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Merges;

/// <summary>Asks for a merge: a job on the kernels' queue.</summary>
public static class RequestMerge
{
    private const int MaxInputs = 100;

    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        MergeRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs, CancellationToken cancellationToken)
    {
        if (JobRequests.Check(requester, request.Output, request.Rank, request.Energy, request.Dtype) is { } problem)
            return problem;
        if (!Text.TryParse<MergeMethod>(request.Method, out _))
            return Problems.InvalidRequest("method", $"A merge method is one of: {Text.Choices<MergeMethod>()}.");
        if (request.Inputs.Count is 0 or > MaxInputs)
            return Problems.InvalidRequest("inputs", $"A merge has 1 to {MaxInputs} inputs.");

        var resolver = new InputResolver(storage, requester);
        var inputs = ImmutableArray.CreateBuilder<ResolvedInput>();
        foreach (var (input, index) in request.Inputs.Select((input, index) => (input, index)))
        {
            if (await resolver.AddAsync($"inputs[{index}]", input.Adapter, input.Weight, "input", cancellationToken) is { } resolved)
                inputs.Add(resolved);
        }

        var (baseModel, mismatch) = resolver.Finish();
        if (mismatch is not null)
            return mismatch;
        var canonical = new DerivationRequest(
            request.Method, inputs.ToImmutable(), baseModel!, request.Output.Adapter, request.Output.Private,
            request.Rank, request.Energy, request.Normalize, null, request.Dtype);
        return await jobs.SubmitAsync(JobKind.Merge, requester.Owner, canonical.ToJson(), QueueNames.KernelJobs, cancellationToken);
    }
}

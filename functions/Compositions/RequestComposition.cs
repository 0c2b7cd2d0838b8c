using System.Collections.Immutable;
using Marketplace.Core.Api;
using Marketplace.Core.Composition;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;
using Marketplace.Functions.EvaluationSets;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Compositions;

/// <summary>Asks for a learned composition: a job on the kernels' queue.</summary>
public static class RequestComposition
{
    private const int MaxInputs = 100;

    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        CompositionRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs, CancellationToken cancellationToken)
    {
        if (!CompositionSettings.TryCreate(request.Method, request.Parameters, request.Seed, out var settings, out var wrong))
            return Problems.InvalidRequest([.. wrong.Select(p => new IssueView(p.Code, "error", p.Place, p.Message))]);
        if (request.Inputs.Count is 0 or > MaxInputs || request.Inputs.Any(i => i is null))
            return Problems.InvalidRequest("inputs", $"A composition has 1 to {MaxInputs} inputs.");
        if (request.Examples is < 1)
            return Problems.InvalidRequest("examples", "At least one example is needed.");
        var recipe = settings.Recipe([.. request.Inputs.Select(i => new RecipeInput(i))]) with
        {
            Output = request.Output,
            Rank = request.Rank,
            Energy = request.Energy,
            Dtype = request.Dtype,
            Notes = request.Notes,
        };
        if (DerivationRequests.Check(requester, recipe) is { } problem)
            return problem;

        var (sets, unknown) = await SetsAsync(request, settings, requester, storage, cancellationToken);
        if (unknown is not null)
            return unknown;
        var (resolved, refused) = await DerivationRequests.ResolveAsync(
            storage, requester, recipe, path => path.EndsWith(".adapter", StringComparison.Ordinal) ? path[..^".adapter".Length] : path, (_, _) => "input", cancellationToken);
        if (resolved is null)
            return refused!;
        var registration = await storage.Registrations.NewestAsync(resolved.BaseModel, cancellationToken);
        var canonical = resolved with
        {
            Composition = new(settings.Method.Name, settings.Parameters, settings.Seed, sets[0], sets.ElementAtOrDefault(1), request.Examples, registration?.Digest.Hex),
        };
        return await jobs.SubmitAsync(JobKind.Composition, requester.Owner, canonical.ToJson(), QueueNames.KernelJobs, cancellationToken);
    }

    // Training, and validation where there is one.
    private static async Task<(ImmutableArray<EvaluationSetReference> Sets, ProblemHttpResult? Problem)> SetsAsync(
        CompositionRequest request, CompositionSettings settings, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (sets, issues) = (ImmutableArray.CreateBuilder<EvaluationSetReference>(), new List<IssueView>());
        foreach (var (place, name) in new[] { ("training", request.Training), ("validation", request.Validation) })
        {
            if (name is null)
                continue;
            var (set, version, problem) = await SetLookup.FindVersionAsync(storage, requester.Caller, name, cancellationToken);
            if (problem is not null)
                issues.Add(new("invalid-value", "error", place, problem.ProblemDetails.Detail!));
            else if (settings.Choice("objective") == CompositionMethods.Choices && version!.Header.Kind != EvaluationKind.MultipleChoice)
                issues.Add(new("invalid-value", "error", place, $"'{set!.Id}' has no choices, which the objective '{CompositionMethods.Choices}' compares."));
            else
                sets.Add(new(set!.Id.ToString(), version!.Number, version.Digest.Hex));
        }

        return issues.Count > 0 ? ([], Problems.InvalidRequest(issues)) : (sets.ToImmutable(), null);
    }
}

using System.Collections.Immutable;
using System.Globalization;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;
using Marketplace.Functions.EvaluationSets;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Functions.Subtractions;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Evaluations;

/// <summary>Asks for an evaluation: a job on the kernels' queue.</summary>
public static class RequestEvaluation
{
    private const int MaxSets = 50;
    private const int MaxSubjects = 2000;

    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        EvaluationRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs, CancellationToken cancellationToken)
    {
        if (Check(request) is { Count: > 0 } issues)
            return Problems.InvalidRequest(issues);
        var (members, ofLibrary, missing) = await LibraryAsync(request, requester, storage, cancellationToken);
        if (missing is not null)
            return missing;
        var (subjects, ofAdapters, refused) = await ResolveAsync(request, members, storage, requester, cancellationToken);
        if (refused is not null)
            return refused;
        var asked = request.BaseModel is null ? null : await storage.BaseModels.ResolveAsync(request.BaseModel, requester.Owner, cancellationToken);
        if (request.BaseModel is not null && asked is null)
            return Problems.InvalidRequest("baseModel", $"'{request.BaseModel}' is not known to mean a base model; confirm an alias first.");
        string[] named = [.. new[] { ofAdapters, ofLibrary, asked }.OfType<string>()];
        if (named.FirstOrDefault(n => !string.Equals(n, named[0], StringComparison.OrdinalIgnoreCase)) is { } other)
            return Problems.BaseMismatch($"One base model at a time is evaluated; this names '{named[0]}' and '{other}'.");
        if (named is not [var baseModel, ..])
            return Problems.InvalidRequest("baseModel", "Say which base model is evaluated.");

        var (sets, unknown) = await SetsAsync(request.Sets, requester, storage, cancellationToken);
        if (unknown is not null)
            return unknown;
        var registration = await RegistrationAsync(baseModel, request.Registration, storage, cancellationToken);
        if (registration is null && request.Registration is not null)
            return Problems.InvalidRequest("registration", $"'{baseModel}' has no registration '{request.Registration}'.");
        // A base model that only strangers' private adapters use is as good as none.
        if (registration is null && ofAdapters is null && ofLibrary is null && (await storage.Libraries.ListMembersAsync(baseModel, requester.Caller, cancellationToken)).Count == 0)
            return Problems.NotFound($"base model '{request.BaseModel}' with registered files or a library");
        // The spelling of its registration is public; that of an adapter may be a private one's, and results outlive the job.
        var job = new EvaluationJobRequest(registration?.BaseModel ?? baseModel.ToLowerInvariant(), registration?.Digest.Hex, [.. subjects.DistinctBy(s => s.Digest)], [.. sets.DistinctBy(s => (s.Set.ToUpperInvariant(), s.Digest))]);
        return job.Fits
            ? await jobs.SubmitAsync(JobKind.Evaluation, requester.Owner, job.ToJson(), QueueNames.KernelJobs, cancellationToken)
            : Problems.InvalidRequest("subjects", $"{job.Subjects.Length} subjects on {job.Sets.Length} sets are too many for one job.");
    }

    private static List<IssueView> Check(EvaluationRequest request)
    {
        var issues = new List<IssueView>();
        void Add(string path, string message) => issues.Add(new("invalid-value", "error", path, message));
        if (request.Sets.Count is 0 or > MaxSets)
            Add("sets", $"There are 1 to {MaxSets} sets.");
        var subjects = request.Subjects ?? [];
        if ((subjects.Count == 0 && request.Library is null) || subjects.Count > MaxSubjects)
            Add("subjects", $"There are 1 to {MaxSubjects} subjects, or a library.");
        for (var i = 0; i < Math.Min(subjects.Count, MaxSubjects); i++)
        {
            if (subjects[i].Check() is { } problem)
                Add($"subjects[{i}].{problem.Place}", problem.Message);
            foreach (var (recipe, place) in Recipes(subjects[i], $"subjects[{i}]"))
            {
                if (MergeGraph.Create(recipe, name => name, out var problems) is null)
                    issues.AddRange(problems.Select(p => new IssueView(p.Code, "error", $"{place}.recipe{p.Place?.TrimStart('$')}", p.Message)));
            }
        }

        return issues;
    }

    private static IEnumerable<(MergeRecipe Recipe, string Place)> Recipes(EvaluationSubject subject, string place) => subject switch
    {
        RecipeSubject recipe => [(recipe.Recipe, place)],
        MixtureSubject mixture => mixture.Parts.SelectMany((p, i) => Recipes(p.Subject, $"{place}.parts[{i}].subject")),
        _ => [],
    };

    private static async Task<(IReadOnlyList<string> Members, string? BaseModel, ProblemHttpResult? Problem)> LibraryAsync(
        EvaluationRequest request, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        if (request.Library is not { } library)
            return ([], null, null);
        var (found, baseModel, problem) = await BatchTargets.FindAsync(new SubtractionBatchRequest([], new(""), Library: library), requester, storage, cancellationToken);
        var members = found?.Versions ?? [];
        return members.Count <= MaxSubjects
            ? ([.. members.Order(StringComparer.Ordinal)], baseModel, problem)
            : ([], null, Problems.InvalidRequest("library", $"The library has {members.Count} members; up to {MaxSubjects} are evaluated by one job. Name some of them."));
    }

    // What the caller can't see is refused in the words for what does not exist.
    private static async Task<(List<EvaluationSubject> Subjects, string? BaseModel, ProblemHttpResult? Problem)> ResolveAsync(
        EvaluationRequest request, IReadOnlyList<string> members, MarketplaceStorage storage, Requester requester, CancellationToken cancellationToken)
    {
        List<EvaluationSubject> subjects = [.. request.Subjects ?? [], .. members.Select(m => new AdapterSubject(m))];
        var resolver = new InputResolver(storage, requester);
        var resolved = new Dictionary<string, SubjectAdapter>(StringComparer.Ordinal);
        for (var i = 0; i < subjects.Count; i++)
        {
            var place = i < (request.Subjects?.Count ?? 0) ? $"subjects[{i}]" : "library";
            foreach (var adapter in subjects[i].Adapters.Select(a => a.Adapter).Distinct())
            {
                if (!resolved.ContainsKey(adapter) && await resolver.AddAsync(place, adapter, 1, "input", cancellationToken) is { } input)
                    resolved.Add(adapter, new(input.Name, input.VersionId));
            }
        }

        if (subjects.All(s => !s.Adapters.Any()))
            return ([.. subjects.Select(s => s.Canonical(a => a))], null, null);
        var (baseModel, problem) = resolver.Finish();
        return problem is null ? ([.. subjects.Select(s => s.Canonical(a => resolved[a.Adapter]))], baseModel, null) : ([], null, problem);
    }

    private static async Task<(ImmutableArray<EvaluationSetReference> Sets, ProblemHttpResult? Problem)> SetsAsync(
        IReadOnlyList<string> names, Requester requester, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var (sets, issues) = (ImmutableArray.CreateBuilder<EvaluationSetReference>(), new List<IssueView>());
        for (var i = 0; i < names.Count; i++)
        {
            var (set, version, problem) = await SetLookup.FindVersionAsync(storage, requester.Caller, names[i], cancellationToken);
            if (problem is not null)
                issues.Add(new("invalid-value", "error", $"sets[{i}]", problem.ProblemDetails.Detail!));
            else
                sets.Add(new(set!.Id.ToString(), version!.Number, version.Digest.Hex));
        }

        return issues.Count > 0 ? ([], Problems.InvalidRequest(issues)) : (sets.ToImmutable(), null);
    }

    private static async Task<BaseModelRegistration?> RegistrationAsync(string baseModel, string? wanted, MarketplaceStorage storage, CancellationToken cancellationToken) => wanted is null
        ? await storage.Registrations.NewestAsync(baseModel, cancellationToken)
        : (await storage.Registrations.ListAsync(baseModel, cancellationToken)).FirstOrDefault(r => r.Digest.Hex == wanted || r.Number.ToString(CultureInfo.InvariantCulture) == wanted);
}

using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>
/// What the reading routes see. Beside adapters these are collections and registered base models, where no adapter that exists for the caller has the name, and beside versions their variants. The adapter's row may be a
/// second old (ADR 28); what a writer sees of a repository is read anew.
/// </summary>
public sealed class HubReader(MarketplaceStorage storage, HubRepositories repositories, HubVersions versions, HubVariants variants, HubCollections collections)
{
    /// <summary>The repository, or that there is none.</summary>
    internal async Task<Found<HubRepository>> FindAsync(Caller caller, string owner, string name, CancellationToken cancellationToken)
    {
        var (repository, problem) = await repositories.FindAsync(caller, owner, name, storage.Adapters.RecentAsync, cancellationToken);
        if (repository is { Adapter: null, Record: { ForBaseModel: true, Draft: null } } && await storage.Registrations.RecentAsync(repository.Id.ToString(), cancellationToken) is { Count: > 0 } registered)
            return repository with { Registrations = registered };
        // A base model's repository may be known beyond its registrations, to who may write it.
        if (repository is { Adapter: null, Draft: null } && await storage.Registrations.RecentAsync(repository.Id.ToString(), cancellationToken) is [_, ..] own)
            return repository with { Registrations = own };
        if (repository is not null)
            return repository;
        // One that is down keeps its name.
        if (problem!.StatusCode != StatusCodes.Status404NotFound || !AdapterId.TryCreate(owner, name, out var id))
            return problem;
        if (await storage.Collections.RecentAsync(id, caller, cancellationToken) is { } collection)
            return new HubRepository(collection.Id, null, null) { Collection = collection };
        return await storage.Registrations.RecentAsync(id.ToString(), cancellationToken) is [var newest, ..] registrations
            ? new HubRepository(AdapterId.Parse(newest.BaseModel), null, null) { Registrations = registrations } : problem;
    }

    /// <summary>The repository at a revision, or that there is none.</summary>
    internal async Task<Found<HubRevision>> RevisionAsync(HubRepository repository, string revision, CancellationToken cancellationToken)
    {
        // ASP.NET leaves %2F in route values as it was sent.
        revision = revision.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        if (repository.Collection is { } collection)
        {
            var present = await collections.RevisionAsync(collection, cancellationToken);
            return HubRepositories.IsMain(revision) || present.Commit == revision ? present : NotFound(repository, revision);
        }

        if (repository.Registrations.Count > 0)
        {
            return HubBaseModels.Find(repository.Registrations, revision) is { } registration ? registration
                : repository.Record is null ? NotFound(repository, revision) : await repositories.RevisionAsync(repository, revision, cancellationToken);
        }

        return await OfAdapterAsync(repository, revision, cancellationToken);
    }

    /// <summary>Both at once.</summary>
    internal async Task<(HubRepository? Repository, HubRevision? Revision, IResult? Problem)> FindAsync(Caller caller, string owner, string name, string revision, CancellationToken cancellationToken)
    {
        var (repository, problem) = await FindAsync(caller, owner, name, cancellationToken);
        if (repository is null)
            return (null, null, problem);
        var (found, missing) = await RevisionAsync(repository, revision, cancellationToken);
        return (repository, found, missing);
    }

    private async Task<Found<HubRevision>> OfAdapterAsync(HubRepository repository, string revision, CancellationToken cancellationToken)
    {
        var (adapter, isMain) = (repository.Adapter, HubRepositories.IsMain(revision));
        if (repository.Draft is null && adapter is { Main: { } main } && (isMain || main.Id == revision) && await versions.GetAsync(adapter, main, cancellationToken) is { } newest)
            return newest;
        if (adapter is not null && GitBlobHash.IsValid(revision) && await versions.FindAsync(adapter, revision, cancellationToken) is { } known)
            return known;
        var (found, missing) = await repositories.RevisionAsync(repository, revision, cancellationToken);
        if (found is not null)
            return found;
        // A tag of that very name was found before.
        if (adapter is null || HubVariants.Parse(revision) is not var (named, form))
            return missing!;
        var version = HubRepositories.IsMain(named)
            ? adapter.Main is { } pointer ? (await versions.GetAsync(adapter, pointer, cancellationToken))?.Version : null
            : await storage.Versions.ResolveAsync(adapter.Id, named, cancellationToken);
        return version is null || !adapter.Has(version.Number) ? missing! : await variants.FindAsync(version, form, cancellationToken);
    }

    private static Microsoft.AspNetCore.Http.HttpResults.ProblemHttpResult NotFound(HubRepository repository, string revision) => HubProblems.RevisionNotFound(repository.Id.ToString(), revision);
}

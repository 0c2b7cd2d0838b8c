using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Functions.Hub.Commits;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hub;

/// <summary>
/// Creates a repository: a name, of which only its owner hears until something is published under it. An admin may create one in any namespace, for a base model.
/// </summary>
public static class CreateRepository
{
    private sealed record Body(string? Name, string? Organization, string? Type, string? Visibility, bool? Private, IReadOnlyList<InitialFile>? Files);

    private sealed record InitialFile(string? Path, string? Content, string? Encoding);

    public static async Task<IResult> Handle(
        Requester requester, MarketplaceStorage storage, HubCommits commits, HubAddress address, IOptions<MarketplaceOptions> options, TimeProvider time, HttpContext context, CancellationToken cancellationToken)
    {
        var body = await HubBody.ReadAsync<Body>(context, cancellationToken);
        if (body.Type is not (null or "model"))
            return HubProblems.BadRequest($"This registry holds adapters, as repositories of type 'model'; there are none of type '{body.Type}'.");
        if (body.Visibility is not (null or "public" or "private"))
            return HubProblems.BadRequest($"The visibility is 'public' or 'private', not '{body.Visibility}'.");
        var own = body.Organization is null || requester.Owns(body.Organization);
        if (!AdapterId.TryCreate(own ? requester.Owner : body.Organization, body.Name, out var id))
            return HubProblems.BadRequest($"'{body.Organization ?? requester.Owner}/{body.Name}' is not a name that a repository can have.");
        if (!own && !requester.Caller.IsAdmin)
            return HubProblems.Forbidden($"The token belongs to '{requester.Owner}'; it can't create a repository for '{body.Organization}'.");

        AuditScope.About(id.ToString());
        var url = $"{address.Of(context.Request)}/{id}";
        var isPrivate = body.Private ?? body.Visibility == "private";
        if (!own && isPrivate)
            return HubProblems.BadRequest("What an admin creates in another namespace is to become a base model, and base models are public.");
        var record = new RepositoryRecord(id, isPrivate, time.GetUtcNow(), null, null, default, ForBaseModel: !own);
        if (await ObstacleAsync(record, requester, storage, url, options.Value, cancellationToken) is { } obstacle)
            return obstacle;
        if (await storage.Repositories.AddAsync(record, cancellationToken) == AddResult.AlreadyExists)
            return Exists(id, url);
        if (body.Files is { Count: > 0 } files && await FillAsync(id, files, requester, commits, cancellationToken) is { } refused)
            return refused;
        return HubJson.Answer(new { url, name = id.ToString(), id = id.ToString() });
    }

    private static async Task<ProblemHttpResult?> ObstacleAsync(
        RepositoryRecord record, Requester requester, MarketplaceStorage storage, string url, MarketplaceOptions options, CancellationToken cancellationToken)
    {
        var id = record.Id;
        if (await storage.Adapters.GetAsync(id, cancellationToken) is { } adapter)
        {
            return adapter.Takedown is null
                ? Exists(adapter.Id, url)
                : Problems.TakenDown(await TakedownViews.PublicAsync(adapter, storage, requester.Caller, cancellationToken));
        }

        if (await storage.Repositories.GetAsync(id, cancellationToken) is not null)
            return Exists(id, url);
        if (record.ForBaseModel)
            return null;
        if (await storage.Registrations.NewestAsync(id.ToString(), cancellationToken) is not null)
            return Exists(id, url);
        var account = await storage.Usage.GetAsync(id.Owner, cancellationToken);
        if (account.Published.Adapters >= account.Quotas.Adapters)
            return HubProblems.QuotaExceeded(new QuotaExcess(id.Owner, "adapters", account.Quotas.Adapters, account.Published.Adapters, 1).ToString());
        var unpublished = await storage.Repositories.ListOwnedAsync(id.Owner, cancellationToken).CountAsync(cancellationToken);
        return unpublished >= options.HubRepositories
            ? HubProblems.QuotaExceeded(new QuotaExcess(id.Owner, "repositories without a version", options.HubRepositories, unpublished, 1).ToString())
            : null;
    }

    // npm sends the first files along.
    private static async Task<ProblemHttpResult?> FillAsync(AdapterId id, IReadOnlyList<InitialFile> files, Requester requester, HubCommits commits, CancellationToken cancellationToken)
    {
        using var folder = new ScratchFolder();
        var operations = new List<CommitOperation>();
        foreach (var file in files)
        {
            if (!RepositoryPath.IsValid(file.Path))
                return HubProblems.BadRequest(CommitReader.InvalidPath(file.Path));
            var bytes = new byte[file.Content?.Length ?? 0];
            if (file.Encoding is not (null or "base64") || file.Content is null || !Convert.TryFromBase64String(file.Content, bytes, out var length))
                return HubProblems.BadRequest($"'{file.Path}': the content is not base64.");
            var local = Path.Combine(folder.Path, $"{operations.Count}");
            await File.WriteAllBytesAsync(local, bytes.AsMemory(0, length), cancellationToken);
            operations.Add(new PutInline(file.Path, local, length, Digest.Of(bytes.AsSpan(0, length)), GitBlobHash.Of(bytes.AsSpan(0, length))));
        }

        return (await commits.CommitAsync(requester, id, new CommitRequest("Create the repository", null, operations), folder.Path, cancellationToken)).Problem;
    }

    private static ProblemHttpResult Exists(AdapterId id, string url)
    {
        var problem = HubProblems.Conflict($"There is a repository '{id}' already.");
        problem.ProblemDetails.Extensions["url"] = url;
        return problem;
    }
}

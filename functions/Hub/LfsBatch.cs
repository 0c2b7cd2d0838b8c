using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Functions.Hub.Commits;
using Marketplace.Storage;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hub;

/// <summary>
/// Where the objects of a commit go, in the words of Git LFS: for each a signed address in storage that takes it with a plain PUT. What this account has sent already, or is in a repository that the caller may
/// read, need not be sent. That others have it tells nobody anything.
/// </summary>
public static class LfsBatch
{
    // Clients ask for 256 at a time.
    private const int MaxObjects = 256;

    // What was offered and not committed yet, of all repositories of an account.
    private const int MaxOffered = 10_000;

    private sealed record Body(string? Operation, string? HashAlgo, IReadOnlyList<AskedObject>? Objects)
    {
        [System.Text.Json.Serialization.JsonPropertyName("hash_algo")]
        public string? HashAlgo { get; init; } = HashAlgo;
    }

    private sealed record AskedObject(string? Oid, long Size);

    private sealed record ObjectAnswer(string Oid, long Size, Actions? Actions = null, ObjectError? Error = null);

    private sealed record Actions(Upload Upload);

    private sealed record Upload(string Href, [property: System.Text.Json.Serialization.JsonPropertyName("expires_in")] int ExpiresIn);

    private sealed record ObjectError(int Code, string Message);

    public static async Task<IResult> Handle(
        string owner, string name, Requester requester, HubRepositories repositories, MarketplaceStorage storage, IOptions<MarketplaceOptions> options, TimeProvider time, HttpContext context, CancellationToken cancellationToken)
    {
        var body = await HubBody.ReadAsync<Body>(context, cancellationToken);
        var (repository, problem) = await OwnRepository.FindAsync(repositories, requester, owner, name, cancellationToken);
        if (repository is null)
            return problem!;
        if (body.Operation != "upload")
            return HubProblems.BadRequest("Only the operation 'upload' is served here; files are downloaded from /resolve/.");
        if (body.HashAlgo is not (null or "sha256" or "sha_256"))
            return HubProblems.BadRequest($"Objects are named by their SHA-256, not by '{body.HashAlgo}'.");
        if (body.Objects is not { Count: <= MaxObjects } objects)
            return HubProblems.BadRequest($"Name the objects, at most {MaxObjects} at a time.");
        if (objects.FirstOrDefault(o => !Digest.TryParse(o.Oid, out _) || o.Size < 0) is { } invalid)
            return HubProblems.BadRequest($"'{invalid.Oid}' of {invalid.Size} bytes is no object: its name is a SHA-256 of 64 lower-case hexadecimal digits.");

        var (head, room) = ((await CommitHead.LoadAsync(storage, repository.Id, cancellationToken)).State, await RoomAsync(requester.Owner, storage, cancellationToken));
        var answers = new List<ObjectAnswer>();
        foreach (var (oid, size) in objects.Select(o => (Digest.Parse(o.Oid!), o.Size)).Distinct())
        {
            if (Math.Min(options.Value.MaxFileBytes, ObjectStaging.MaxBlockBytes) is var limit && size > limit)
                answers.Add(new(oid.Hex, size, Error: new(413, $"A file may have {limit} bytes.")));
            else if (size == 0)
                answers.Add(new(oid.Hex, size, Error: new(422, "An empty file is sent inside the commit.")));
            else if (head.Files.Any(f => f.Digest == oid && f.Size == size)
                || await CommitObjects.StagedAsync(storage, requester.Owner, oid, size, cancellationToken) is not null
                || await CommitObjects.VisibleAsync(storage, requester.Caller, oid, size, cancellationToken) is not null)
                answers.Add(new(oid.Hex, size));
            else if (room.Objects <= 0)
                answers.Add(new(oid.Hex, size, Error: new(507, $"{room.Account} has {MaxOffered} objects that were never committed; the oldest go within a day.")));
            else if (size > room.Left)
                answers.Add(new(oid.Hex, size, Error: new(507, $"There is no room: {room.Account} may have {room.Limit} bytes, and has {room.Limit - room.Left}.")));
            else
            {
                room = room with { Left = room.Left - size, Objects = room.Objects - 1 };
                answers.Add(await OfferAsync(requester.Owner, oid, size, storage, time, cancellationToken));
            }
        }

        return TypedResults.Json(new { transfer = "basic", objects = answers }, HubJson.Options, "application/vnd.git-lfs+json");
    }

    private sealed record Room(string Account, long Limit, long Left, int Objects);

    private static async Task<Room> RoomAsync(string owner, MarketplaceStorage storage, CancellationToken cancellationToken)
    {
        var account = await storage.Usage.GetAsync(owner, cancellationToken);
        var (objects, offered) = await storage.LfsObjects.SumAsync(owner, cancellationToken);
        return new(owner, account.Quotas.Bytes, account.Quotas.Bytes - account.Published.Bytes - account.UploadBytes - offered, MaxOffered - objects);
    }

    // The row comes first: what has an address has an owner who pays for it.
    private static async Task<ObjectAnswer> OfferAsync(string owner, Digest oid, long size, MarketplaceStorage storage, TimeProvider time, CancellationToken cancellationToken)
    {
        var (now, lifetime) = (time.GetUtcNow(), storage.Options.UploadLifetime);
        await CommitObjects.ForgetUnsentAsync(storage, owner, oid, now - lifetime, cancellationToken);
        var item = new LfsObject(owner, oid, ObjectStaging.NewName(), size, now);
        await storage.LfsObjects.AddAsync(item, cancellationToken);
        var address = await storage.StagedObjects.SignedUriAsync(item.Name, now + lifetime, cancellationToken);
        return new(oid.Hex, size, new Actions(new Upload(address.AbsoluteUri, (int)lifetime.TotalSeconds)));
    }
}

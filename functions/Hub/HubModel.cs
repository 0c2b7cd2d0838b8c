using System.Text.Json.Serialization;

namespace Marketplace.Functions.Hub;

/// <summary>A repository as <c>model_info</c> and lists show it; names are the protocol's.</summary>
internal sealed record HubModel
{
    [JsonPropertyName("_id")]
    public required string InternalId { get; init; }

    public required string Id { get; init; }

    public required string ModelId { get; init; }

    public required string Author { get; init; }

    public required string Sha { get; init; }

    public required DateTimeOffset LastModified { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required bool Private { get; init; }

    public bool Gated { get; init; }

    public bool Disabled { get; init; }

    public int Downloads { get; init; }

    public int Likes { get; init; }

    public required IReadOnlyList<string> Tags { get; init; }

    public IReadOnlyList<HubSibling>? Siblings { get; init; }

    /// <summary>The repository at a revision.</summary>
    public static HubModel Of(HubRepository repository, HubRevision revision, bool blobs) => new()
    {
        InternalId = VersionId(repository),
        Id = repository.Id.ToString(),
        ModelId = repository.Id.ToString(),
        Author = repository.Id.Owner,
        Sha = revision.Commit,
        LastModified = repository.Adapter?.UpdatedAt ?? revision.CreatedAt,
        CreatedAt = repository.Adapter?.CreatedAt ?? repository.Record?.CreatedAt ?? revision.CreatedAt,
        Private = repository.Private,
        Tags = [.. repository.Adapter?.Summary?.Tags ?? []],
        Siblings = [.. revision.Files.Select(f => new HubSibling(f.Path, blobs ? f.Size : null, blobs ? f.GitSha1 : null))],
    };

    // 24 hexadecimal digits, as long as the Hub's, and the same for ever.
    private static string VersionId(HubRepository repository) =>
        Core.Digest.Of(System.Text.Encoding.UTF8.GetBytes(repository.Id.ToString().ToLowerInvariant())).Hex[..24];
}

/// <summary>A file of <see cref="HubModel"/>.</summary>
internal sealed record HubSibling(string Rfilename, long? Size, string? BlobId);

using System.Text;
using System.Text.Json.Serialization;
using Marketplace.Core;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>A repository as <c>model_info</c> and lists show it; names are the protocol's.</summary>
internal sealed record HubModel
{
    private const int IdDigits = 24;

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

    [JsonPropertyName("library_name")]
    public string? LibraryName { get; init; }

    [JsonPropertyName("pipeline_tag")]
    public string? PipelineTag { get; init; }

    public HubCardData? CardData { get; init; }

    public HubConfig? Config { get; init; }

    public IReadOnlyList<HubSibling>? Siblings { get; init; }

    /// <summary>Bytes of this revision's files.</summary>
    public long? UsedStorage { get; init; }

    /// <summary>A repository at a revision.</summary>
    public static HubModel Of(HubRepository repository, HubRevision revision, bool blobs)
    {
        var model = repository switch
        {
            { Collection: { } collection } => OfCollection(collection, revision),
            { Registrations: [var newest, ..] } => OfBaseModel(repository, newest, revision),
            { Adapter: { } adapter } => Of(As(adapter, revision.Version), revision.Commit) with { LastModified = revision.Version is null ? revision.CreatedAt : adapter.UpdatedAt },
            _ => Bare(repository.Id, repository.Private, revision.Commit, repository.Record?.CreatedAt ?? revision.CreatedAt, revision.CreatedAt),
        };
        return model with { Siblings = [.. revision.Files.Select(f => HubSibling.Of(f, blobs))], UsedStorage = revision.Files.DistinctBy(f => f.Digest).Sum(f => f.Size) };
    }

    /// <summary>An adapter at its newest version, as lists show it.</summary>
    public static HubModel Of(AdapterRecord adapter, string commit)
    {
        var summary = adapter.Summary;
        return Bare(adapter.Id, adapter.Private, commit, adapter.CreatedAt, adapter.UpdatedAt) with
        {
            Tags = [.. AdapterTags.Of(adapter).Order(StringComparer.Ordinal)],
            LibraryName = "peft",
            PipelineTag = summary?.Card?.PipelineTag,
            CardData = new HubCardData
            {
                BaseModel = summary?.Card?.BaseModels switch { [var one] => one, [_, _, ..] several => several, _ => adapter.BaseModelName is { Length: > 0 } spelling ? spelling : null },
                LibraryName = "peft",
                License = summary?.License,
                Tags = summary?.Tags is [_, ..] tags ? tags : null,
                Datasets = summary?.Card?.Datasets is [_, ..] datasets ? datasets : null,
                Language = summary?.Card?.Languages is [_, ..] languages ? languages : null,
                PipelineTag = summary?.Card?.PipelineTag,
            },
        };
    }

    // What a version says of itself, where it is not the newest.
    private static AdapterRecord As(AdapterRecord adapter, VersionRecord? version) =>
        version is null ? adapter : adapter with { Summary = version.Summary, BaseModelName = version.BaseModelName };

    private static HubModel OfCollection(CollectionRecord collection, HubRevision revision) => Bare(collection.Id, collection.Private, revision.Commit, collection.CreatedAt, collection.CreatedAt) with
    {
        Tags = ["base_model:" + collection.BaseModel, "base_model:adapter:" + collection.BaseModel, "collection", "lora", "peft", "safetensors"],
        LibraryName = "peft",
        CardData = new HubCardData { BaseModel = collection.BaseModel, LibraryName = "peft", Tags = ["lora", "collection"] },
    };

    private static HubModel OfBaseModel(HubRepository repository, BaseModelRegistration newest, HubRevision revision) =>
        Bare(repository.Id, false, revision.Commit, repository.Registrations[^1].CreatedAt, revision.CreatedAt) with
        {
            Tags = ["safetensors", "transformers", newest.Architecture],
            LibraryName = "transformers",
            Config = new HubConfig(null, newest.Architecture),
        };

    private static HubModel Bare(AdapterId id, bool isPrivate, string commit, DateTimeOffset createdAt, DateTimeOffset updatedAt) => new()
    {
        // As long as the Hub's, and the same for ever.
        InternalId = Digest.Of(Encoding.UTF8.GetBytes(id.ToString().ToLowerInvariant())).Hex[..IdDigits],
        Id = id.ToString(),
        ModelId = id.ToString(),
        Author = id.Owner,
        Sha = commit,
        LastModified = updatedAt,
        CreatedAt = createdAt,
        Private = isPrivate,
        Tags = [],
    };
}

/// <summary>A file of <see cref="HubModel"/>; only large ones have <paramref name="Lfs"/>.</summary>
internal sealed record HubSibling(string Rfilename, long? Size, string? BlobId, HubSiblingLarge? Lfs)
{
    /// <summary>A file, with sizes where they were asked for.</summary>
    public static HubSibling Of(ManifestFile file, bool blobs)
    {
        if (!blobs)
            return new(file.Path, null, null, null);
        var entry = HubTree.File(file);
        return new(file.Path, file.Size, entry.Oid, entry.Lfs is { } large ? new(large.Oid, large.Size, large.PointerSize) : null);
    }
}

/// <summary>A large file, in the words of <see cref="HubSibling"/>.</summary>
internal sealed record HubSiblingLarge(string Sha256, long Size, int PointerSize);

/// <summary>What the card says, as far as it is read.</summary>
internal sealed record HubCardData
{
    /// <summary>One name, or several.</summary>
    [JsonPropertyName("base_model")]
    public object? BaseModel { get; init; }

    [JsonPropertyName("library_name")]
    public string? LibraryName { get; init; }

    public string? License { get; init; }

    public IReadOnlyList<string>? Tags { get; init; }

    public IReadOnlyList<string>? Datasets { get; init; }

    public IReadOnlyList<string>? Language { get; init; }

    [JsonPropertyName("pipeline_tag")]
    public string? PipelineTag { get; init; }
}

/// <summary>What the configuration says that clients look at.</summary>
internal sealed record HubConfig(HubPeft? Peft, [property: JsonPropertyName("model_type")] string? ModelType = null);

/// <summary>Of an adapter's configuration.</summary>
internal sealed record HubPeft(
    [property: JsonPropertyName("base_model_name_or_path")] string? BaseModel, [property: JsonPropertyName("task_type")] string? TaskType);

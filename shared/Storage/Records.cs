using System.Collections.Immutable;
using Azure;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;

namespace Marketplace.Storage;

/// <summary>What an API key allows; each scope includes the ones before it.</summary>
public enum KeyScope
{
    /// <summary>Sees its owner's private adapters.</summary>
    Read,

    /// <summary>Publishes and runs jobs as its owner.</summary>
    Publish,

    /// <summary>Sees and manages everything.</summary>
    Admin,
}

/// <summary>An API key, without its token. On which day it was last used is known where keys are listed.</summary>
public sealed record ApiKeyRecord(
    string Id, string Owner, string Name, KeyScope Scope, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, bool Revoked, DateOnly? LastUsedOn = null)
{
    /// <summary>Whether it works at that time.</summary>
    public bool IsValid(DateTimeOffset now) => !Revoked && !(ExpiresAt <= now);
}

/// <summary>A version's place in its adapter's history, and its id.</summary>
public sealed record VersionPointer(int Number, string Id);

/// <summary>What lists show of an adapter's main version.</summary>
public sealed record AdapterSummary(
    int Rank, int Modules, string Dtype, long SizeBytes, ImmutableArray<string> Warnings, string? License,
    ImmutableArray<string> Tags, string? DerivedBy, CardSummary? Card = null, ServingCheck? Serving = null);

/// <summary>What a model card says beyond licence and tags.</summary>
/// <param name="Languages">Languages, as codes.</param>
/// <param name="Datasets">Datasets it was trained on.</param>
/// <param name="PipelineTag">The task, in the Hub's words.</param>
/// <param name="BaseModels">Base models, as the card spells them.</param>
public sealed record CardSummary(ImmutableArray<string> Languages, ImmutableArray<string> Datasets, string? PipelineTag, ImmutableArray<string> BaseModels);

/// <summary>An adapter: its name, who may see it, and the version that <c>main</c> points to.</summary>
/// <param name="Id">The name as first spelled.</param>
/// <param name="Private">Whether it exists for its owner only.</param>
/// <param name="Listed">Whether lists show it; downloads work either way.</param>
/// <param name="BaseModelName">The base model as the main version's configuration spells it; empty if it names none.</param>
/// <param name="BaseModel">The canonical base model; null while the spelling is not resolved, and then the adapter is in no library.</param>
/// <param name="Main">The newest published version; null before the first.</param>
/// <param name="CreatedAt">When the name was taken.</param>
/// <param name="UpdatedAt">When the row was last written.</param>
/// <param name="Summary">Facts about the main version.</param>
/// <param name="ETag">Guards updates.</param>
/// <param name="Takedown">That it is down; null while it is not.</param>
/// <param name="Deletion">That it was deleted; such a row is what keeps the name's numbers, and nobody is given it as an adapter.</param>
/// <param name="DeletedThrough">Versions up to this number were those of adapters of this name that were deleted; 0 if none was.</param>
/// <param name="DeletedAt">When the last of them was; null if none was.</param>
public sealed record AdapterRecord(
    AdapterId Id, bool Private, bool Listed, string BaseModelName, string? BaseModel, VersionPointer? Main,
    DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt, AdapterSummary? Summary, ETag ETag, TakedownMark? Takedown = null,
    DeletionMark? Deletion = null, int DeletedThrough = 0, DateTimeOffset? DeletedAt = null)
{
    /// <summary>Whether a version of that number can be this adapter's; numbers go on where an adapter of the same name was deleted.</summary>
    public bool Has(int number) => Deletion is null && number > DeletedThrough;
}

/// <summary>One immutable version. Everything that follows from its publication (pointer, library) can be redone from this row.</summary>
/// <param name="Adapter">The adapter it belongs to.</param>
/// <param name="Number">1 for the first.</param>
/// <param name="Id">40 hexadecimal digits over files and parent.</param>
/// <param name="Parent">Id of the version before it.</param>
/// <param name="Files">Its files in ordinal order of their paths.</param>
/// <param name="CreatedAt">When it was published.</param>
/// <param name="PublishedBy">The account that published it.</param>
/// <param name="Message">What the publisher says about it.</param>
/// <param name="BaseModelName">The base model as its configuration spells it.</param>
/// <param name="Lineage">Where a derived version comes from.</param>
/// <param name="UploadId">The upload or job that made it: publishing for the same one again gives this version.</param>
/// <param name="Private">The privacy asked for by its publisher; counts only where it is the adapter's first version.</param>
/// <param name="Weights">Digest of the weights, the key of its derived data.</param>
/// <param name="Config">Digest of the configuration.</param>
/// <param name="Summary">What lists show of it while it is the main version.</param>
public sealed record VersionRecord(
    AdapterId Adapter, int Number, string Id, string? Parent, ImmutableArray<ManifestFile> Files, DateTimeOffset CreatedAt,
    string PublishedBy, string? Message, string BaseModelName, Lineage? Lineage, string UploadId,
    bool Private, Digest Weights, Digest Config, AdapterSummary? Summary);

/// <summary>How a derived version was made.</summary>
public sealed record Lineage(string Method, ImmutableArray<LineageParent> Parents, string RecipeJson, string? Kernel);

/// <summary>One input of a derived version; its role is <c>input</c>, <c>target</c> or <c>general</c>.</summary>
public sealed record LineageParent(AdapterId Adapter, int Number, string VersionId, double Weight, string Role);

/// <summary>How far an upload is.</summary>
public enum UploadState
{
    /// <summary>Files may be written.</summary>
    Open,

    /// <summary>Complete, waiting for or in validation.</summary>
    Queued,

    /// <summary>Became a version.</summary>
    Published,

    /// <summary>Refused by validation; the report says why.</summary>
    Rejected,

    /// <summary>Never completed in time.</summary>
    Expired,

    /// <summary>Given up by its owner.</summary>
    Cancelled,

    /// <summary>Validation could not be carried out.</summary>
    Failed,
}

/// <summary>A file that an upload announces. Its bytes are staged for the upload, unless it came with a commit of the Hub's protocol.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Size">Its length in bytes.</param>
/// <param name="Sha256">The digest it is said to have.</param>
/// <param name="Staged">Its name in <see cref="ObjectStaging"/>, if it is there.</param>
/// <param name="Stored">Whether it is content already, under <paramref name="Sha256"/>.</param>
public sealed record UploadFileSpec(string Path, long Size, Digest? Sha256, string? Staged = null, bool Stored = false);

/// <summary>What an upload becomes.</summary>
public enum UploadKind
{
    /// <summary>A version of an adapter.</summary>
    Adapter,

    /// <summary>A registration of a base model.</summary>
    BaseModel,
}

/// <summary>An upload of one version of an adapter, or of one registration of the base model that <c>Adapter</c> then names.</summary>
public sealed record UploadRecord(
    string Id, AdapterId Adapter, string Owner, bool Private, UploadState State, ImmutableArray<UploadFileSpec> Files,
    string? ExpectedParent, string? Message, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, VersionPointer? Version,
    string? FailureCode, string? FailureMessage, ETag ETag, UploadKind Kind = UploadKind.Adapter)
{
    /// <summary>The failure of an upload whose message failed too often.</summary>
    public const string Poisoned = "poisoned";

    /// <summary>Whether it came with a commit of the Hub's protocol.</summary>
    public bool IsCommit => Files.Any(f => f.Stored || f.Staged is not null);

    /// <summary>Whether an operator can have it validated again: the files are as good as ever.</summary>
    public bool CanBeRetried => State == UploadState.Failed && FailureCode == Poisoned;
}

/// <summary>How far a job is.</summary>
public enum JobStatus
{
    /// <summary>Waiting for a worker.</summary>
    Queued,

    /// <summary>A worker has it.</summary>
    Running,

    /// <summary>Done; the result is stored.</summary>
    Succeeded,

    /// <summary>Ended with an error; asking again starts a new attempt.</summary>
    Failed,

    /// <summary>Ended on request; asking again starts a new attempt.</summary>
    Cancelled,
}

/// <summary>What a job does.</summary>
public enum JobKind
{
    /// <summary>N adapters to one.</summary>
    Merge,

    /// <summary>Target minus general knowledge.</summary>
    Subtraction,

    /// <summary>Groups of a library.</summary>
    Clustering,

    /// <summary>General knowledge subtracted from many targets.</summary>
    SubtractionBatch,

    /// <summary>One merged adapter for each cluster of a snapshot.</summary>
    LibraryBuild,

    /// <summary>Prototypes of a set of adapters.</summary>
    RouterExport,

    /// <summary>Adapters scored on sets.</summary>
    Evaluation,

    /// <summary>N adapters to one, as examples teach.</summary>
    Composition,
}

/// <summary>How much of a job is done.</summary>
public sealed record JobProgress(int Done, int Total, string? Current, double? EtaSeconds);

/// <summary>A job. <c>Sequence</c> grows with every change, so that a watcher can tell what it has seen.</summary>
public sealed record JobRecord(
    string Id, JobKind Kind, string Owner, string RequestJson, JobStatus Status, int Attempt, long Sequence, JobProgress? Progress,
    bool CancelRequested, string? ResultJson, string? ErrorCode, string? ErrorMessage, DateTimeOffset CreatedAt,
    DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt, ETag ETag)
{
    /// <summary>Whether the attempt is over.</summary>
    public bool IsTerminal => Status is JobStatus.Succeeded or JobStatus.Failed or JobStatus.Cancelled;
}

/// <summary>A base model by its canonical id.</summary>
public sealed record BaseModelRecord(string Id, DateTimeOffset CreatedAt);

/// <summary>The files of a base model as somebody registered them; never changed.</summary>
/// <param name="BaseModel">The base model.</param>
/// <param name="Number">1 for the first.</param>
/// <param name="Digest">Digest of its manifest: configuration, weights and tokenizer.</param>
/// <param name="Architecture"><c>model_type</c>.</param>
/// <param name="Files">Its files.</param>
/// <param name="RegisteredBy">The account that did.</param>
/// <param name="CreatedAt">When.</param>
/// <param name="Message">What was said about it.</param>
/// <param name="UploadId">The upload that made it: registering the same one again gives this one.</param>
public sealed record BaseModelRegistration(
    string BaseModel, int Number, Digest Digest, string Architecture, ImmutableArray<BaseModelFile> Files, string RegisteredBy,
    DateTimeOffset CreatedAt, string? Message, string UploadId);

/// <summary>A confirmed statement that a spelling means a base model, for one owner's adapters or, without owner, for everybody's.</summary>
public sealed record BaseModelAlias(string Spelling, string BaseModel, string? Owner, string ConfirmedBy, DateTimeOffset ConfirmedAt);

/// <summary>An adapter's place in the library of its base model. Whether it was derived from others is known where its own row was read.</summary>
public sealed record LibraryMember(
    string BaseModel, AdapterId Adapter, bool Private, VersionPointer Version, Digest Weights, Digest Config, bool Derived = false);

/// <summary>A clustering of a library at one time.</summary>
/// <param name="Id">Its name.</param>
/// <param name="BaseModel">The library.</param>
/// <param name="Owner">Null for a clustering of public adapters, which everybody may see; else the account that alone may see it.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="JobId">The job that made it.</param>
/// <param name="BodyJson">The clusters; empty in lists.</param>
/// <param name="Similarity">What was compared.</param>
/// <param name="SummaryJson">What lists show of it.</param>
public sealed record ClusterSnapshot(
    string Id, string BaseModel, string? Owner, DateTimeOffset CreatedAt, string JobId, string BodyJson, string Similarity = "delta", string SummaryJson = "");

/// <summary>An adapter placed into a clustering that was made without it. Privacy is the adapter row's.</summary>
/// <param name="SnapshotId">The clustering.</param>
/// <param name="Adapter">The adapter.</param>
/// <param name="Version">The version that arrived.</param>
/// <param name="Cluster">Name of the cluster.</param>
/// <param name="Cosine">Its cosine with the cluster's centre.</param>
/// <param name="Outlier">Whether it is far from every cluster.</param>
/// <param name="At">When.</param>
public sealed record Arrival(string SnapshotId, AdapterId Adapter, VersionPointer Version, string Cluster, double Cosine, bool Outlier, DateTimeOffset At);

/// <summary>Versions that were made together, by one job, and belong together: a library of cluster adapters, the residuals of a library.</summary>
/// <param name="Id">Its name, in a namespace of its own.</param>
/// <param name="Private">Whether it exists for its owner only.</param>
/// <param name="BaseModel">The base model of all members.</param>
/// <param name="MadeBy"><c>library-build</c> or <c>genknowsub</c>.</param>
/// <param name="CreatedAt">When it was finished.</param>
/// <param name="JobId">The job that made it.</param>
/// <param name="RequestJson">The job's canonical request: where it comes from.</param>
/// <param name="Members">Its versions, in ordinal order of their labels.</param>
public sealed record CollectionRecord(
    AdapterId Id, bool Private, string BaseModel, string MadeBy, DateTimeOffset CreatedAt, string JobId, string RequestJson, ImmutableArray<CollectionMember> Members);

/// <summary>A version in a collection.</summary>
/// <param name="Label">What it stands for: a cluster's name, a target.</param>
/// <param name="Adapter">Its adapter.</param>
/// <param name="Version">Its version.</param>
public sealed record CollectionMember(string Label, AdapterId Adapter, VersionPointer Version);

/// <summary>Who did what to which subject.</summary>
/// <param name="At">When.</param>
/// <param name="Actor">The account; <see cref="AuditLog.Service"/> for what the service does by itself.</param>
/// <param name="Action">What was done.</param>
/// <param name="Subject">To what.</param>
/// <param name="Detail">More about it; never a secret.</param>
/// <param name="Via">How: the key or identity that was used, or the queue or timer that called.</param>
public sealed record AuditEvent(DateTimeOffset At, string Actor, string Action, string Subject, string? Detail, string? Via = null);

/// <summary>One published use of some bytes. Privacy is as of publication; the adapter's own row is the truth.</summary>
public sealed record ContentUse(Digest Digest, AdapterId Adapter, int Number, string Owner, bool Private);

using System.Collections.Immutable;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>A file to publish, and the local copy that its digest was computed from. Without local copy the bytes must be stored already.</summary>
public sealed record PublishFile(ManifestFile File, string? LocalPath);

/// <summary>A result of analysis to store with the weights.</summary>
public sealed record DerivedFile(string AnalysisVersion, string Name, ReadOnlyMemory<byte> Content);

/// <summary>Everything that a new version consists of.</summary>
public sealed record PublishRequest
{
    /// <summary>The adapter; its name is taken by its first version.</summary>
    public required AdapterId Adapter { get; init; }

    /// <summary>The account that publishes.</summary>
    public required string Owner { get; init; }

    /// <summary>Whether a new adapter is private; an existing one stays as it is.</summary>
    public bool Private { get; init; }

    /// <summary>The upload or job that this version is for: one key makes one version, however often it is published.</summary>
    public required string IdempotencyKey { get; init; }

    /// <summary>The files.</summary>
    public required ImmutableArray<PublishFile> Files { get; init; }

    /// <summary>The id that the main version must have for this one to follow it, or <see cref="NoParent"/>; null to follow whatever is there.</summary>
    public string? ExpectedParent { get; init; }

    /// <summary>Stands for the parent of a first version, where there must be none.</summary>
    public const string NoParent = "0000000000000000000000000000000000000000";

    /// <summary>When the upload or the job began; null for now. What began before its adapter was deleted is not published as a new one.</summary>
    public DateTimeOffset? BegunAt { get; init; }

    /// <summary>What the publisher says about the version.</summary>
    public string? Message { get; init; }

    /// <summary>The base model as the configuration spells it.</summary>
    public required string BaseModelName { get; init; }

    /// <summary>Where a derived version comes from.</summary>
    public Lineage? Lineage { get; init; }

    /// <summary>What lists show.</summary>
    public AdapterSummary? Summary { get; init; }

    /// <summary>Results of analysis.</summary>
    public ImmutableArray<DerivedFile> Derived { get; init; } = [];

    /// <summary>Digest of the weights.</summary>
    public required Digest WeightsDigest { get; init; }

    /// <summary>Digest of the configuration.</summary>
    public required Digest ConfigDigest { get; init; }
}

/// <summary>What became of a publish.</summary>
public abstract record PublishOutcome
{
    private PublishOutcome()
    {
    }

    /// <summary>The version exists.</summary>
    public sealed record Published(VersionRecord Version) : PublishOutcome;

    /// <summary>The adapter's newest version is not the expected parent.</summary>
    public sealed record ParentConflict(VersionPointer? Head) : PublishOutcome;

    /// <summary>The account has no room for the version.</summary>
    public sealed record QuotaExceeded(QuotaExcess Excess) : PublishOutcome;

    /// <summary>The name belongs to another account.</summary>
    public sealed record OwnerMismatch : PublishOutcome;

    /// <summary>The adapter was taken down: nothing is published to it.</summary>
    public sealed record TakenDown(TakedownMark Mark) : PublishOutcome;

    /// <summary>An adapter that it was made from was taken down.</summary>
    public sealed record InputTakenDown(AdapterId Input) : PublishOutcome;

    /// <summary>The adapter was deleted since the work began.</summary>
    public sealed record Deleted : PublishOutcome;

    /// <summary>An adapter that it was made from was deleted.</summary>
    public sealed record InputDeleted(AdapterId Input) : PublishOutcome;
}

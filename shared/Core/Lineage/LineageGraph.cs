using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Marketplace.Core.Api;

namespace Marketplace.Core.Lineage;

/// <summary>How a version came to be.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LineageKind>))]
public enum LineageKind
{
    /// <summary>Published as it was trained.</summary>
    [JsonStringEnumMemberName("trained")]
    Trained,

    /// <summary>Merged from others.</summary>
    [JsonStringEnumMemberName("merge")]
    Merge,

    /// <summary>What remained when general knowledge was subtracted.</summary>
    [JsonStringEnumMemberName("subtraction")]
    Subtraction,

    /// <summary>Stands for one or more parents that the reader may not see, or that no longer exist: which of it nobody is told.</summary>
    [JsonStringEnumMemberName("notVisible")]
    NotVisible,
}

/// <summary>A version in a lineage.</summary>
/// <param name="Version">The version; null for what is not visible.</param>
/// <param name="Kind">How it came to be.</param>
/// <param name="Method">The merge method; null where there is none.</param>
/// <param name="HasMore">Whether it has parents that were left out because the graph has reached its limit.</param>
/// <param name="TakenDown">Whether its adapter is down; what it was made of is then left out.</param>
public sealed record LineageNode(VersionReference? Version, LineageKind Kind, string? Method = null, bool HasMore = false, bool TakenDown = false);

/// <summary>A step from a version to one that it was made of.</summary>
/// <param name="Child">Index of the version.</param>
/// <param name="Parent">Index of what it was made of.</param>
/// <param name="Weight">With this weight; null for what is not visible.</param>
/// <param name="Role">input, target or general; null for what is not visible.</param>
public sealed record LineageEdge(int Child, int Parent, double? Weight, string? Role);

/// <summary>Where a version comes from: a graph without cycles, in which each version occurs once.</summary>
/// <param name="Nodes">The versions, breadth first; the first is the one that was asked for.</param>
/// <param name="Edges">The steps, in the order of their children.</param>
public sealed record LineageGraph(ImmutableArray<LineageNode> Nodes, ImmutableArray<LineageEdge> Edges);

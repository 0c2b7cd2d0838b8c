using System.Collections.Immutable;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Lineage;

/// <summary>A parent as a version's lineage names it.</summary>
/// <param name="Adapter">The adapter.</param>
/// <param name="Number">Which version of it.</param>
/// <param name="Weight">With this weight.</param>
/// <param name="Role">input, target or general.</param>
public readonly record struct LineageStep(AdapterId Adapter, int Number, double Weight, string Role);

/// <summary>A version as somebody may see it.</summary>
/// <param name="Version">The version.</param>
/// <param name="Method">The method that made it; null for a trained one.</param>
/// <param name="Parents">What it was made of.</param>
/// <param name="TakenDown">Whether its adapter is down.</param>
public sealed record LineageVersion(VersionReference Version, string? Method, ImmutableArray<LineageStep> Parents, bool TakenDown = false);

/// <summary>
/// Follows a lineage breadth first, without knowing where versions are stored: whoever walks looks up what <see cref="Next"/> asks for and
/// <see cref="Answer"/>s. Each version is asked for once, so it ends whatever the answers say.
/// </summary>
public sealed class LineageWalk
{
    private readonly int limit;
    private readonly List<LineageNode> nodes = [];
    private readonly List<LineageEdge> edges = [];
    private readonly Dictionary<(AdapterId, int), int?> known = []; // the node, or null for what can't be seen
    private readonly Dictionary<int, int> hidden = []; // by child: one node for all parents that it hides
    private readonly Queue<(int Child, LineageStep Step)> open = new();

    /// <summary>Starts at a version that the reader sees.</summary>
    /// <param name="start">The version.</param>
    /// <param name="limit">Most nodes; at least 1.</param>
    public LineageWalk(LineageVersion start, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        this.limit = limit;
        known.Add((AdapterId.Parse(start.Version.Adapter), start.Version.Number), Add(start));
    }

    /// <summary>The version that has to be looked up next; null at the end.</summary>
    public (AdapterId Adapter, int Number)? Next()
    {
        while (open.TryPeek(out var next))
        {
            if (nodes.Count >= limit && !known.ContainsKey((next.Step.Adapter, next.Step.Number)))
                nodes[next.Child] = nodes[next.Child] with { HasMore = true };
            else if (known.TryGetValue((next.Step.Adapter, next.Step.Number), out var node))
                Connect(next.Child, next.Step, node);
            else
                return (next.Step.Adapter, next.Step.Number);
            open.Dequeue();
        }

        return null;
    }

    /// <summary>Says what was found; null if the reader may not see it, or if it is not there.</summary>
    public void Answer(LineageVersion? version)
    {
        var (child, step) = open.Dequeue();
        int? node = version is null ? null : Add(version);
        known.Add((step.Adapter, step.Number), node);
        Connect(child, step, node);
    }

    /// <summary>What was found so far.</summary>
    public LineageGraph Graph() => new([.. nodes], [.. edges.OrderBy(e => e.Child)]);

    private int Add(LineageVersion version)
    {
        var kind = version.Method is null ? LineageKind.Trained
            : version.Method == LinearMethods.GenKnowSub ? LineageKind.Subtraction
            : LineageKind.Merge;
        nodes.Add(new(version.Version, kind, version.Method, TakenDown: version.TakenDown));
        foreach (var step in version.Parents)
            open.Enqueue((nodes.Count - 1, step));
        return nodes.Count - 1;
    }

    // How many parents are hidden, with which weights, and whether another version hides the same one, is nobody's business.
    private void Connect(int child, LineageStep step, int? node)
    {
        if (node is { } seen)
        {
            edges.Add(new(child, seen, step.Weight, step.Role));
        }
        else if (!hidden.ContainsKey(child))
        {
            if (nodes.Count >= limit)
            {
                nodes[child] = nodes[child] with { HasMore = true };
                return;
            }

            nodes.Add(new(null, LineageKind.NotVisible));
            hidden.Add(child, nodes.Count - 1);
            edges.Add(new(child, nodes.Count - 1, null, null));
        }
    }
}

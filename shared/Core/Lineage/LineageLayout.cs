using System.Collections.Immutable;

namespace Marketplace.Core.Lineage;

/// <summary>A rectangle; x grows to the right and y downwards.</summary>
internal readonly record struct Box(double X, double Y, double Width, double Height)
{
    public double Right => X + Width;

    public double Bottom => Y + Height;

    public double Middle => Y + (Height / 2);

    /// <summary>The area that two rectangles share.</summary>
    public double Overlap(Box other) =>
        Math.Max(0, Math.Min(Right, other.Right) - Math.Max(X, other.X)) * Math.Max(0, Math.Min(Bottom, other.Bottom) - Math.Max(Y, other.Y));
}

/// <summary>
/// Places a lineage in columns, children left of their parents (Sugiyama's method): a column is the longest way from the first node; edges that cross
/// columns get a lane in each; lanes and nodes are ordered by the mean of their neighbours, for few crossings; then each is moved as close to its neighbours as
/// the space between rows allows. Everything is a function of the graph.
/// </summary>
internal sealed class LineageLayout
{
    private const int Sweeps = 12;
    private const double RowGap = 18;
    private const double LaneHeight = 6;

    private readonly LineageGraph graph;
    private readonly List<Slot>[] columns;
    private readonly List<(Slot Left, Slot Right)> links = [];

    /// <summary>Places a graph.</summary>
    /// <param name="graph">The graph; its first node is leftmost.</param>
    /// <param name="widths">How wide each node is.</param>
    /// <param name="height">How high all are.</param>
    /// <param name="gap">Space between columns.</param>
    public LineageLayout(LineageGraph graph, IReadOnlyList<double> widths, double height, double gap)
    {
        this.graph = graph;
        var layers = Layers(graph);
        columns = [.. Enumerable.Range(0, layers.Max() + 1).Select(_ => new List<Slot>())];
        var slots = graph.Nodes.Select((_, i) => Place(layers[i], i, height)).ToList();
        Routes = [.. graph.Edges.Select(e => layers[e.Parent] > layers[e.Child] ? Route(slots[e.Child], slots[e.Parent]) : [])];
        Order();
        Spread();

        var lefts = new double[columns.Length];
        var columnWidths = columns.Select(c => c.Max(s => s.Node < 0 ? 0 : widths[s.Node])).ToList();
        for (var c = 1; c < lefts.Length; c++)
            lefts[c] = lefts[c - 1] + columnWidths[c - 1] + gap;
        foreach (var slot in columns.SelectMany(c => c))
            slot.Box = new(lefts[slot.Column], slot.Y - (slot.Height / 2), slot.Node < 0 ? columnWidths[slot.Column] : widths[slot.Node], slot.Height);
        Nodes = [.. slots.Select(s => s.Box)];
    }

    /// <summary>Where each node is.</summary>
    public ImmutableArray<Box> Nodes { get; }

    /// <summary>For each edge the places it goes through: child, lanes, parent. Empty for an edge that would go back, which no true lineage has.</summary>
    public ImmutableArray<List<Slot>> Routes { get; }

    // Longest way from the first node. The number of rounds is limited so that a graph with a cycle comes to an end, too.
    private static int[] Layers(LineageGraph graph)
    {
        var layers = new int[graph.Nodes.Length];
        for (var round = 0; round < graph.Nodes.Length; round++)
        {
            var changed = false;
            foreach (var edge in graph.Edges.Where(e => layers[e.Parent] <= layers[e.Child] && layers[e.Child] < graph.Nodes.Length - 1))
            {
                layers[edge.Parent] = layers[edge.Child] + 1;
                changed = true;
            }

            if (!changed)
                break;
        }

        var used = layers.Distinct().Order().ToList();
        return [.. layers.Select(l => used.IndexOf(l))];
    }

    private Slot Place(int column, int node, double height)
    {
        var slot = new Slot(column, node, height);
        columns[column].Add(slot);
        return slot;
    }

    private List<Slot> Route(Slot child, Slot parent)
    {
        var route = new List<Slot> { child };
        for (var column = child.Column + 1; column < parent.Column; column++)
            route.Add(Place(column, -1, LaneHeight));
        route.Add(parent);
        for (var k = 1; k < route.Count; k++)
        {
            links.Add((route[k - 1], route[k]));
            route[k - 1].Rights.Add(route[k]);
            route[k].Lefts.Add(route[k - 1]);
        }

        return route;
    }

    private void Order()
    {
        Number();
        var best = columns.Select(c => c.ToList()).ToList();
        var fewest = Crossings();
        for (var sweep = 0; sweep < Sweeps && fewest > 0; sweep++)
        {
            var leftwards = sweep % 2 == 1;
            foreach (var column in leftwards ? columns.Reverse() : columns)
            {
                var sorted = column.OrderBy(s => Mean(leftwards ? s.Rights : s.Lefts, n => n.Row, s.Row)).ToList(); // stable
                column.Clear();
                column.AddRange(sorted);
                Number(column);
            }

            if (Crossings() is var crossings && crossings < fewest)
                (fewest, best) = (crossings, columns.Select(c => c.ToList()).ToList());
        }

        for (var c = 0; c < columns.Length; c++)
            columns[c] = best[c];
        Number();
    }

    private void Spread()
    {
        foreach (var column in columns)
            Settle(column, [.. column.Select(_ => 0d)]);
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            var leftwards = sweep % 2 == 1;
            foreach (var column in leftwards ? columns.Reverse() : columns)
                Settle(column, [.. column.Select(s => Mean(leftwards ? s.Rights : s.Lefts, n => n.Y, s.Y))]);
        }

        var top = columns.SelectMany(c => c).Min(s => s.Y - (s.Height / 2));
        foreach (var slot in columns.SelectMany(c => c))
            slot.Y -= top;
    }

    // The places nearest to those wanted, in the sense of least squares, that keep order and distance: pool adjacent violators.
    private static void Settle(List<Slot> column, double[] wanted)
    {
        var offsets = new double[column.Count];
        for (var i = 1; i < offsets.Length; i++)
            offsets[i] = offsets[i - 1] + (column[i - 1].Height / 2) + RowGap + (column[i].Height / 2);
        var pools = new List<(double Sum, int Count)>();
        for (var i = 0; i < wanted.Length; i++)
        {
            pools.Add((wanted[i] - offsets[i], 1));
            while (pools.Count > 1 && pools[^2].Sum / pools[^2].Count > pools[^1].Sum / pools[^1].Count)
            {
                pools[^2] = (pools[^2].Sum + pools[^1].Sum, pools[^2].Count + pools[^1].Count);
                pools.RemoveAt(pools.Count - 1);
            }
        }

        var next = 0;
        foreach (var (sum, count) in pools)
            for (var k = 0; k < count; k++, next++)
                column[next].Y = (sum / count) + offsets[next];
    }

    // Pairs of links between the same columns that change sides.
    private int Crossings()
    {
        var crossings = 0;
        foreach (var between in links.GroupBy(l => l.Left.Column))
        {
            var sorted = between.OrderBy(l => l.Left.Row).ThenBy(l => l.Right.Row).Select(l => (l.Left.Row, Other: l.Right.Row)).ToList();
            for (var i = 0; i < sorted.Count; i++)
                for (var j = i + 1; j < sorted.Count; j++)
                    crossings += sorted[i].Row < sorted[j].Row && sorted[i].Other > sorted[j].Other ? 1 : 0;
        }

        return crossings;
    }

    private void Number() => Array.ForEach(columns, Number);

    private static void Number(List<Slot> column)
    {
        for (var row = 0; row < column.Count; row++)
            column[row].Row = row;
    }

    private static double Mean(List<Slot> neighbours, Func<Slot, double> value, double otherwise) =>
        neighbours.Count == 0 ? otherwise : neighbours.Average(value);

    /// <summary>A node, or a lane in which an edge passes a column.</summary>
    /// <param name="column">Its column.</param>
    /// <param name="node">Index of the node; −1 for a lane.</param>
    /// <param name="height">Its height.</param>
    internal sealed class Slot(int column, int node, double height)
    {
        public int Column { get; } = column;

        public int Node { get; } = node;

        public double Height { get; } = height;

        public int Row { get; set; }

        public double Y { get; set; }

        public Box Box { get; set; }

        public List<Slot> Lefts { get; } = [];

        public List<Slot> Rights { get; } = [];
    }
}

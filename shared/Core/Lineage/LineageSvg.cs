using System.Globalization;
using System.Text;
using System.Xml;
using Marketplace.Core.Drawing;
using static Marketplace.Core.Drawing.SvgXml;

namespace Marketplace.Core.Lineage;

/// <summary>Draws a lineage as SVG: the version on the left, what it was made of to the right. Equal graphs give equal bytes.</summary>
public static class LineageSvg
{
    private const int LongestTitle = 34;
    private const int LongestLabel = 20;
    private const double TitleAdvance = 7.8; // of a monospaced font: 0.6 of its size
    private const double SmallAdvance = 6.6;
    private const double NodeHeight = 44;
    private const double ColumnGap = 150;
    private const double Padding = 12;
    private const double Margin = 16;

    // Where along an edge's last part its label may stand, the best place first.
    private static readonly double[] LabelPlaces = [0.72, 0.66, 0.78, 0.6, 0.84, 0.54, 0.48, 0.42, 0.36, 0.3, 0.24, 0.9, 0.18];

    // Colours stand in rules rather than attributes, so that readers with a dark page get dark ones.
    private const string Style = """

        text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
        .page { fill: #ffffff; }
        .node { stroke-width: 1.5; }
        .trained .node { fill: #e6f4ea; stroke: #2da44e; }
        .merge .node { fill: #e7f1fd; stroke: #0969da; }
        .subtraction .node { fill: #f6effd; stroke: #8250df; }
        .unseen .node { fill: #f3f4f6; stroke: #818b98; stroke-dasharray: 4 3; }
        .down .node { fill: #ffebe9; stroke: #cf222e; stroke-dasharray: 4 3; }
        .title { font-size: 13px; font-weight: 600; fill: #1f2328; }
        .small { font-size: 11px; fill: #59636e; }
        .edge { fill: none; stroke: #818b98; stroke-width: 1.3; }
        .tip { fill: #818b98; }
        @media (prefers-color-scheme: dark) {
          .page { fill: #0d1117; }
          .trained .node { fill: #12261e; stroke: #3fb950; }
          .merge .node { fill: #111d2f; stroke: #58a6ff; }
          .subtraction .node { fill: #1f1733; stroke: #bc8cff; }
          .unseen .node { fill: #161b22; stroke: #768390; }
          .down .node { fill: #2c1416; stroke: #f85149; }
          .title { fill: #e6edf3; }
          .small { fill: #9da7b1; }
          .edge { stroke: #768390; }
          .tip { fill: #768390; }
        }

        """;

    /// <summary>Draws a graph.</summary>
    /// <param name="graph">The graph; it has at least one node.</param>
    /// <returns>A document that stands by itself: no script, no reference to anything outside.</returns>
    public static string Render(LineageGraph graph)
    {
        var texts = graph.Nodes.Select(n => (Title: Shorten(Title(n), LongestTitle), Small: Small(n))).ToList();
        var widths = texts.ConvertAll(t => Math.Max(t.Title.Length * TitleAdvance, t.Small.Length * SmallAdvance) + (2 * Padding));
        var layout = new LineageLayout(graph, widths, NodeHeight, ColumnGap);

        var text = new StringBuilder();
        using (var xml = XmlWriter.Create(text, new XmlWriterSettings { Indent = true, OmitXmlDeclaration = true, NewLineChars = "\n" }))
        {
            var (width, height) = (layout.Nodes.Max(b => b.Right) + (2 * Margin), layout.Nodes.Concat(Lanes(layout)).Max(b => b.Bottom) + (2 * Margin));
            xml.WriteStartElement("svg", Namespace);
            xml.Attributes(("viewBox", $"{N(-Margin)} {N(-Margin)} {N(width)} {N(height)}"), ("width", N(width)), ("height", N(height)), ("role", "img"));
            xml.WriteElementString("title", Namespace, $"Lineage of {Clean(Title(graph.Nodes[0]))}");
            xml.WriteElementString("style", Namespace, Style);
            xml.Element("rect", ("class", "page"), ("x", N(-Margin)), ("y", N(-Margin)), ("width", N(width)), ("height", N(height)));
            Edges(xml, graph, layout);
            for (var i = 0; i < graph.Nodes.Length; i++)
                Node(xml, graph.Nodes[i], layout.Nodes[i], texts[i]);
            xml.WriteEndElement();
        }

        return text.Append('\n').ToString();
    }

    private static void Node(XmlWriter xml, LineageNode node, Box box, (string Title, string Small) texts)
    {
        xml.WriteStartElement("g", Namespace);
        xml.Attributes(("class", node.TakenDown ? "down" : node.Kind == LineageKind.NotVisible ? "unseen" : node.Kind.ToString().ToLowerInvariant()));
        xml.WriteElementString("title", Namespace, Clean($"{Title(node)}, {Small(node)}"));
        xml.Element("rect", ("class", "node"), ("x", N(box.X)), ("y", N(box.Y)), ("width", N(box.Width)), ("height", N(box.Height)), ("rx", "7"));
        xml.Text("title", box.X + Padding, box.Y + 18, texts.Title, "start");
        xml.Text("small", box.X + Padding, box.Y + 34, texts.Small, "start");
        xml.WriteEndElement();
    }

    private static void Edges(XmlWriter xml, LineageGraph graph, LineageLayout layout)
    {
        var taken = layout.Nodes.ToList();
        var labels = new List<(Box Box, string Text)>();
        for (var e = 0; e < graph.Edges.Length; e++)
        {
            if (layout.Routes[e] is not [_, .., _] route)
                continue;
            var points = Points(route, e, layout);
            var path = new StringBuilder($"M {N(points[0].X)} {N(points[0].Y)}");
            for (var p = 1; p < points.Count; p++)
            {
                var (a, b) = (points[p - 1], points[p]);
                var middle = N((a.X + b.X) / 2);
                path.Append(p % 2 == 0 ? $" L {N(b.X)} {N(b.Y)}" : $" C {middle} {N(a.Y)} {middle} {N(b.Y)} {N(b.X)} {N(b.Y)}");
            }

            xml.Element("path", ("class", "edge"), ("d", path.ToString()));
            var tip = points[0];
            xml.Element("path", ("class", "tip"), ("d", $"M {N(tip.X)} {N(tip.Y)} l 8 -4 v 8 z"));
            if (Label(graph.Edges[e]) is { Length: > 0 } label)
            {
                var places = LabelPlaces.Select(t => Place(points[^2], points[^1], t, label)).ToList();
                labels.Add((places.MinBy(p => taken.Sum(p.Overlap)), label));
                taken.Add(labels[^1].Box);
            }
        }

        // Over all edges, on a patch of page that keeps the lines off.
        foreach (var (box, label) in labels)
        {
            xml.Element("rect", ("class", "page"), ("x", N(box.X)), ("y", N(box.Y)), ("width", N(box.Width)), ("height", N(box.Height)));
            xml.Text("small", box.X + (box.Width / 2), box.Bottom - 3, label, "middle");
        }
    }

    // Edges of one node leave and arrive side by side, in the order of where they lead.
    private static List<(double X, double Y)> Points(List<LineageLayout.Slot> route, int edge, LineageLayout layout)
    {
        var (first, last) = (route[0].Box, route[^1].Box);
        var points = new List<(double, double)> { (first.Right, Port(first, route[0], r => r[0], r => r[1], edge, layout)) };
        foreach (var lane in route[1..^1])
        {
            points.Add((lane.Box.X, lane.Box.Middle));
            points.Add((lane.Box.Right, lane.Box.Middle));
        }

        points.Add((last.X, Port(last, route[^1], r => r[^1], r => r[^2], edge, layout)));
        return points;
    }

    private static double Port(
        Box box, LineageLayout.Slot node, Func<List<LineageLayout.Slot>, LineageLayout.Slot> end, Func<List<LineageLayout.Slot>, LineageLayout.Slot> next,
        int edge, LineageLayout layout)
    {
        var edges = Enumerable.Range(0, layout.Routes.Length).Where(e => layout.Routes[e].Count > 1 && end(layout.Routes[e]) == node)
            .OrderBy(e => next(layout.Routes[e]).Box.Middle).ThenBy(e => e).ToList();
        return box.Y + (box.Height * (edges.IndexOf(edge) + 1) / (edges.Count + 1));
    }

    // A box for the label above the curve at t; the curve's tangents are level at both ends.
    private static Box Place((double X, double Y) from, (double X, double Y) to, double t, string label)
    {
        var (s, middle) = (1 - t, (from.X + to.X) / 2);
        var x = (from.X * s * s * s) + (3 * middle * s * s * t) + (3 * middle * s * t * t) + (to.X * t * t * t);
        var y = from.Y + ((to.Y - from.Y) * ((3 * t * t) - (2 * t * t * t)));
        var width = (label.Length * SmallAdvance) + 4;
        return new(x - (width / 2), y - 7, width, 14);
    }

    private static IEnumerable<Box> Lanes(LineageLayout layout) => layout.Routes.SelectMany(r => r.Select(s => s.Box));

    private static string Title(LineageNode node) => node.Version is { } version ? $"{version.Adapter}@{version.Number}" : "not visible";

    private static string Small(LineageNode node) => node.TakenDown ? "taken down" : (node.Kind switch
    {
        LineageKind.NotVisible => "private or gone",
        LineageKind.Trained => "trained",
        LineageKind.Subtraction => "subtraction",
        _ => $"merge · {Shorten(node.Method ?? "", LongestLabel)}",
    }) + (node.HasMore ? " · more parents" : "");

    private static string Label(LineageEdge edge) => string.Join(' ', new[]
    {
        edge.Weight is { } weight ? $"×{weight.ToString("0.###", CultureInfo.InvariantCulture)}" : "",
        edge.Role is null or "input" ? "" : Shorten(edge.Role, LongestLabel),
    }.Where(t => t.Length > 0));

    private static string Shorten(string text, int most) => text.Length <= most ? text : $"{text[..(most / 2)]}…{text[^((most / 2) - 1)..]}";
}

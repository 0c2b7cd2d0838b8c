using System.Globalization;
using System.Text;
using System.Xml;
using Marketplace.Core.Api;
using Marketplace.Core.Drawing;
using static Marketplace.Core.Drawing.SvgXml;

namespace Marketplace.Core.Methods;

/// <summary>Draws the map of a clustered library as SVG: adapters as points, in the colour and shape of their cluster, the most typical ones named. Equal snapshots give equal bytes.</summary>
public static class MbcMapSvg
{
    private const double Plot = 620; // width, and most height
    private const double LeastHeight = 300;
    private const double Inset = 26; // of the outermost points from the frame
    private const double Top = 58;
    private const double Left = 44;
    private const double LegendX = Left + Plot + 26;
    private const double LegendWidth = 292;
    private const double Row = 19;
    private const double Advance = 6.6; // of a monospaced font of 11 px
    private const int MostRows = 28;
    private const int MostNames = 24; // clusters up to which labels carry the medoid's name
    private const int MostTitles = 2000; // points up to which each says what it is
    private const int LongestName = 24;
    private const int Colours = 12;

    // Hues that keep apart on white and on black; a thirteenth cluster has the first one's colour and the next shape.
    private const string Style = """

        text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
        .page { fill: #ffffff; }
        .frame { fill: #f6f8fa; stroke: #d1d9e0; }
        .axis { stroke: #d1d9e0; stroke-dasharray: 3 4; }
        .head { font-size: 15px; font-weight: 600; fill: #1f2328; }
        .small { font-size: 11px; fill: #59636e; }
        .name { font-size: 11px; font-weight: 600; fill: #1f2328; stroke: #f6f8fa; stroke-width: 3px; paint-order: stroke; stroke-linejoin: round; }
        .point { fill-opacity: .68; }
        .medoid { stroke: #1f2328; stroke-width: 1.4; }
        .lead { stroke: #59636e; stroke-width: .8; }
        .k0 { fill: #2f7ed8; } .k1 { fill: #e5780b; } .k2 { fill: #2ca24c; } .k3 { fill: #d6404e; } .k4 { fill: #8e5cd0; } .k5 { fill: #9a6a4a; }
        .k6 { fill: #dd5fb4; } .k7 { fill: #7d8590; } .k8 { fill: #a8a413; } .k9 { fill: #18a6b5; } .k10 { fill: #5661e0; } .k11 { fill: #c2255c; }
        @media (prefers-color-scheme: dark) {
          .page { fill: #0d1117; }
          .frame { fill: #151b23; stroke: #3d444d; }
          .axis { stroke: #3d444d; }
          .head { fill: #f0f6fc; }
          .small { fill: #9198a1; }
          .name { fill: #f0f6fc; stroke: #151b23; }
          .point { fill-opacity: .8; }
          .medoid { stroke: #f0f6fc; }
          .lead { stroke: #9198a1; }
        }

        """;

    private readonly record struct Spot(double X, double Y);

    private readonly record struct Area(double X, double Y, double Width, double Height)
    {
        public double Overlap(Area other) =>
            Math.Max(0, Math.Min(X + Width, other.X + other.Width) - Math.Max(X, other.X)) * Math.Max(0, Math.Min(Y + Height, other.Y + other.Height) - Math.Max(Y, other.Y));
    }

    // One scale for both axes: distances are to be compared.
    private sealed class Placing
    {
        private readonly double scale;
        private readonly double x0;
        private readonly double y0;

        public Placing(ClusterSnapshotView snapshot)
        {
            var members = snapshot.Clusters.SelectMany(c => c.Members).ToList();
            var (left, right, bottom, top) = (members.Min(m => m.X), members.Max(m => m.X), members.Min(m => m.Y), members.Max(m => m.Y));
            scale = (Plot - (2 * Inset)) / Math.Max(Math.Max(right - left, top - bottom), 1e-9);
            (x0, y0) = ((left + right) / 2, (bottom + top) / 2);
            Height = Math.Clamp(((top - bottom) * scale) + (2 * Inset), LeastHeight, Plot);
        }

        public double Height { get; }

        public Spot Of(double x, double y) => new(Left + (Plot / 2) + ((x - x0) * scale), Top + (Height / 2) - ((y - y0) * scale));
    }

    /// <summary>Draws a snapshot.</summary>
    /// <returns>A document that stands by itself: no script, no reference to anything outside.</returns>
    public static string Render(ClusterSnapshotView snapshot)
    {
        var text = new StringBuilder();
        var place = new Placing(snapshot);
        using (var xml = XmlWriter.Create(text, new XmlWriterSettings { Indent = true, OmitXmlDeclaration = true, NewLineChars = "\n" }))
        {
            var rows = Math.Min(snapshot.Clusters.Count, MostRows) + (snapshot.Clusters.Count > MostRows ? 1 : 0) + (snapshot.Zero.Count > 0 ? 1 : 0) + (snapshot.Excluded.Count > 0 ? 1 : 0);
            var (width, height) = (LegendX + LegendWidth, Top + Math.Max(place.Height + 44, (rows * Row) + 20));
            xml.WriteStartElement("svg", Namespace);
            xml.Attributes(("viewBox", $"0 0 {N(width)} {N(height)}"), ("width", N(width)), ("height", N(height)), ("role", "img"));
            xml.WriteElementString("title", Namespace, Clean($"Map of the library of {snapshot.BaseModel}"));
            xml.WriteElementString("style", Namespace, Style);
            xml.Element("rect", ("class", "page"), ("width", N(width)), ("height", N(height)));
            xml.Text("head", Left, 26, $"Library of {Shorten(snapshot.BaseModel, 60)}", "start");
            var silhouette = snapshot.Silhouette is { } s ? string.Create(CultureInfo.InvariantCulture, $", silhouette {s:0.00}") : "";
            xml.Text(
                "small", Left, 44,
                string.Create(CultureInfo.InvariantCulture, $"{snapshot.Members:N0} adapters in {snapshot.K} clusters by {snapshot.Similarity}{silhouette}; {snapshot.CreatedAt.UtcDateTime:yyyy-MM-dd}"), "start");
            Frame(xml, snapshot, place);
            Points(xml, snapshot, place);
            Legend(xml, snapshot);
            xml.WriteEndElement();
        }

        return text.Append('\n').ToString();
    }

    private static void Frame(XmlWriter xml, ClusterSnapshotView snapshot, Placing place)
    {
        xml.Element("rect", ("class", "frame"), ("x", N(Left)), ("y", N(Top)), ("width", N(Plot)), ("height", N(place.Height)), ("rx", "6"));
        var origin = place.Of(0, 0);
        if (origin.X > Left && origin.X < Left + Plot)
            xml.Element("line", ("class", "axis"), ("x1", N(origin.X)), ("x2", N(origin.X)), ("y1", N(Top)), ("y2", N(Top + place.Height)));
        if (origin.Y > Top && origin.Y < Top + place.Height)
            xml.Element("line", ("class", "axis"), ("x1", N(Left)), ("x2", N(Left + Plot)), ("y1", N(origin.Y)), ("y2", N(origin.Y)));
        xml.Text("small", Left + (Plot / 2), Top + place.Height + 20, $"first axis: {Share(snapshot, 0)} of the variance", "middle");
        xml.WriteStartElement("text", Namespace);
        xml.Attributes(("class", "small"), ("text-anchor", "middle"), ("transform", $"translate({N(Left - 16)} {N(Top + (place.Height / 2))}) rotate(-90)"));
        xml.WriteString($"second axis: {Share(snapshot, 1)} of the variance");
        xml.WriteEndElement();
    }

    private static void Points(XmlWriter xml, ClusterSnapshotView snapshot, Placing place)
    {
        var size = snapshot.Members switch { <= 300 => 4.2, <= MostTitles => 3.2, _ => 2.2 };
        // Large clusters first, so that small ones lie on top.
        foreach (var (cluster, index) in snapshot.Clusters.Select((c, i) => (c, i)).OrderByDescending(c => c.c.Size).ThenBy(c => c.i))
        {
            xml.WriteStartElement("g", Namespace);
            xml.Attributes(("class", $"point k{index % Colours}"));
            foreach (var member in cluster.Members)
                Mark(xml, place.Of(member.X, member.Y), index, size, snapshot.Members <= MostTitles ? $"{Name(member.Version)}, {cluster.Name}" : null);
            xml.WriteEndElement();
        }

        var medoids = snapshot.Clusters.Select(c => c.Members.First(m => m.Version == c.Medoid)).Select(m => place.Of(m.X, m.Y)).ToList();
        for (var c = 0; c < medoids.Count; c++)
        {
            xml.WriteStartElement("g", Namespace);
            xml.Attributes(("class", $"medoid k{c % Colours}"));
            Mark(xml, medoids[c], c, size + 1.8, $"{Name(snapshot.Clusters[c].Medoid)}, medoid of {snapshot.Clusters[c].Name}");
            xml.WriteEndElement();
        }

        Labels(xml, snapshot, medoids, place);
    }

    // The largest clusters choose first; a label that would cover another one is left to the legend.
    private static void Labels(XmlWriter xml, ClusterSnapshotView snapshot, List<Spot> medoids, Placing place)
    {
        var taken = medoids.Select(m => new Area(m.X - 6, m.Y - 6, 12, 12)).ToList();
        foreach (var (cluster, index) in snapshot.Clusters.Select((c, i) => (c, i)).OrderByDescending(c => c.c.Size).ThenBy(c => c.i))
        {
            var label = snapshot.Clusters.Count <= MostNames ? $"{cluster.Name} {Shorten(cluster.Medoid.Adapter, LongestName)}" : cluster.Name;
            var (medoid, width) = (medoids[index], (label.Length * Advance) + 4);
            var best = Around(medoid, width).Where(a => Inside(a, place)).Select(a => (Area: a, Cost: taken.Sum(a.Overlap))).OrderBy(a => a.Cost).Cast<(Area Area, double Cost)?>().FirstOrDefault();
            if (best is not { Cost: 0 } free)
                continue;
            taken.Add(free.Area);
            var (x, y) = (free.Area.X + (width / 2), free.Area.Y + 10);
            if (Math.Abs(free.Area.Y + 7 - medoid.Y) > 16)
                xml.Element("line", ("class", "lead"), ("x1", N(medoid.X)), ("y1", N(medoid.Y)), ("x2", N(Math.Clamp(medoid.X, free.Area.X, free.Area.X + width))), ("y2", N(free.Area.Y + (free.Area.Y > medoid.Y ? 0 : 13))));
            xml.Text("name", x, y, label, "middle");
        }
    }

    private static IEnumerable<Area> Around(Spot medoid, double width)
    {
        foreach (var away in new[] { 9d, 22, 36, 52, 70 })
        {
            if (away < 10)
            {
                yield return new(medoid.X + away, medoid.Y - 7, width, 14);
                yield return new(medoid.X - away - width, medoid.Y - 7, width, 14);
            }

            foreach (var side in new[] { -0.5, -0.1, -0.9 })
            {
                yield return new(medoid.X + (side * width), medoid.Y - away - 14, width, 14);
                yield return new(medoid.X + (side * width), medoid.Y + away, width, 14);
            }
        }
    }

    private static bool Inside(Area area, Placing place) =>
        area.X >= Left + 4 && area.X + area.Width <= Left + Plot - 4 && area.Y >= Top + 4 && area.Y + area.Height <= Top + place.Height - 4;

    private static void Legend(XmlWriter xml, ClusterSnapshotView snapshot)
    {
        var y = Top + 14;
        xml.Text("small", LegendX, y - 22, "cluster, adapters, most typical", "start");
        foreach (var (cluster, index) in snapshot.Clusters.Select((c, i) => (c, i)).OrderByDescending(c => c.c.Size).ThenBy(c => c.i).Take(MostRows))
        {
            xml.WriteStartElement("g", Namespace);
            xml.Attributes(("class", $"k{index % Colours}"));
            Mark(xml, new(LegendX + 6, y - 4), index, 5, null);
            xml.WriteEndElement();
            xml.Text("small", LegendX + 20, y, $"{cluster.Name,-5}{cluster.Size.ToString("N0", CultureInfo.InvariantCulture),6}  {Shorten(cluster.Medoid.Adapter, LongestName)}", "start");
            y += Row;
        }

        if (snapshot.Clusters.Count > MostRows)
        {
            var rest = snapshot.Clusters.OrderByDescending(c => c.Size).Skip(MostRows).ToList();
            xml.Text("small", LegendX + 20, y, string.Create(CultureInfo.InvariantCulture, $"and {rest.Count} more with {rest.Sum(c => c.Size):N0} adapters"), "start");
            y += Row;
        }

        if (snapshot.Zero.Count > 0)
        {
            xml.Text("small", LegendX + 20, y, string.Create(CultureInfo.InvariantCulture, $"zero {snapshot.Zero.Count,6:N0}  change nothing; not drawn"), "start");
            y += Row;
        }

        if (snapshot.Excluded.Count > 0)
            xml.Text("small", LegendX + 20, y, string.Create(CultureInfo.InvariantCulture, $"     {snapshot.Excluded.Count,6:N0}  left out"), "start");
    }

    private static void Mark(XmlWriter xml, Spot at, int cluster, double size, string? title)
    {
        var (x, y) = (at.X, at.Y);
        var shape = cluster / Colours % 4;
        xml.WriteStartElement(shape == 0 ? "circle" : "path", Namespace);
        if (shape == 0)
            xml.Attributes(("cx", N(x)), ("cy", N(y)), ("r", N(size)));
        else
            xml.Attributes(("d", shape switch
            {
                1 => $"M{N(x - (0.9 * size))} {N(y - (0.9 * size))}h{N(1.8 * size)}v{N(1.8 * size)}h{N(-1.8 * size)}z",
                2 => $"M{N(x)} {N(y - (1.2 * size))}L{N(x + (1.2 * size))} {N(y + size)}H{N(x - (1.2 * size))}z",
                _ => $"M{N(x)} {N(y - (1.3 * size))}L{N(x + (1.3 * size))} {N(y)}L{N(x)} {N(y + (1.3 * size))}L{N(x - (1.3 * size))} {N(y)}z",
            }));
        if (title is not null)
            xml.WriteElementString("title", Namespace, Clean(title));
        xml.WriteEndElement();
    }

    private static string Name(VersionReference version) => string.Create(CultureInfo.InvariantCulture, $"{version.Adapter}@{version.Number}");

    private static string Share(ClusterSnapshotView snapshot, int axis) =>
        (snapshot.Explained.Count > axis ? 100 * snapshot.Explained[axis] : 0).ToString("0.#", CultureInfo.InvariantCulture) + " %";

    private static string Shorten(string text, int most) => text.Length <= most ? text : $"{text[..(most / 2)]}…{text[^((most / 2) - 1)..]}";
}

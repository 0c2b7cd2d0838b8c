using System.Globalization;
using System.Xml.Linq;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Lineage;
using Xunit;

namespace Marketplace.Tests.Merges;

public sealed class LineageTests
{
    /// <summary>Versions by name, with the names of their parents; a method for those that have any.</summary>
    private sealed class World(params (string Name, string Method, string[] Parents)[] versions)
    {
        public List<string> Asked { get; } = [];

        public HashSet<string> Hidden { get; } = [];

        public LineageGraph Walk(string start, int limit = 100)
        {
            var walk = new LineageWalk(Find(start)!, limit);
            while (walk.Next() is (var adapter, var number))
            {
                Assert.Equal(1, number);
                Asked.Add(adapter.Name);
                walk.Answer(Hidden.Contains(adapter.Name) ? null : Find(adapter.Name));
            }

            return walk.Graph();
        }

        private LineageVersion? Find(string name)
        {
            var found = versions.FirstOrDefault(v => v.Name == name);
            return found.Name is null ? null : new(
                new VersionReference($"a/{name}", 1, new string('0', 40)), found.Method == "" ? null : found.Method,
                [.. found.Parents.Select((p, i) => new LineageStep(AdapterId.Parse($"a/{p}"), 1, i + 1, "input"))]);
        }
    }

    private static World Diamond => new(
        ("top", "linear", ["left", "right", "base"]), ("left", "genknowsub", ["base", "other"]), ("right", "ties", ["base"]), ("base", "", []), ("other", "", []));

    [Fact]
    public void Each_version_occurs_once_and_every_way_to_it_is_an_edge()
    {
        var world = Diamond;
        var graph = world.Walk("top");
        Assert.Equal(["top", "left", "right", "base", "other"], graph.Nodes.Select(Name));
        Assert.Equal(
            [LineageKind.Merge, LineageKind.Subtraction, LineageKind.Merge, LineageKind.Trained, LineageKind.Trained], graph.Nodes.Select(n => n.Kind));
        Assert.Equal([(0, 1, 1.0), (0, 2, 2), (0, 3, 3), (1, 3, 1), (1, 4, 2), (2, 3, 1)], graph.Edges.Select(e => (e.Child, e.Parent, e.Weight!.Value)));
        Assert.Equal(["left", "right", "base", "other"], world.Asked);
    }

    [Fact]
    public void What_is_private_and_what_is_gone_look_the_same_however_many_there_are()
    {
        var hidden = Diamond;
        hidden.Hidden.UnionWith(["base", "other"]);
        var gone = new World(("top", "linear", ["left", "right", "absent"]), ("left", "genknowsub", ["lost"]), ("right", "ties", ["absent", "lost"]));
        var graph = hidden.Walk("top");
        Assert.Equal(graph.Nodes, gone.Walk("top").Nodes);
        Assert.Equal(graph.Edges, gone.Walk("top").Edges);
        Assert.Equal(3, graph.Nodes.Count(n => n == new LineageNode(null, LineageKind.NotVisible)));
        Assert.All(graph.Edges.Where(e => graph.Nodes[e.Parent].Version is null), e => Assert.Equal((null, null), (e.Weight, e.Role)));
        // No two versions share a node that is hidden: that they share a parent would be told by it.
        Assert.All(graph.Edges.Where(e => graph.Nodes[e.Parent].Version is null).GroupBy(e => e.Parent), g => Assert.Single(g));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void A_limit_bounds_the_nodes_and_says_where_there_is_more(int limit)
    {
        var graph = Diamond.Walk("top", limit);
        Assert.Equal(limit, graph.Nodes.Length);
        Assert.Equal(limit < 5, graph.Nodes.Any(n => n.HasMore));
        Assert.All(graph.Edges, e => Assert.True(e.Child < limit && e.Parent < limit));
        var hiding = Diamond;
        hiding.Hidden.UnionWith(["left", "right", "base", "other"]);
        Assert.True(hiding.Walk("top", limit).Nodes.Length <= limit);
    }

    [Fact]
    public void A_cycle_that_no_true_lineage_has_comes_to_an_end_and_is_drawn()
    {
        var graph = new World(("one", "linear", ["two"]), ("two", "linear", ["three"]), ("three", "linear", ["one", "two"])).Walk("one");
        Assert.Equal(3, graph.Nodes.Length);
        Assert.NotNull(XDocument.Parse(LineageSvg.Render(graph)).Root);
    }

    [Fact]
    public void A_picture_is_well_formed_self_contained_and_the_same_each_time()
    {
        var text = LineageSvg.Render(Diamond.Walk("top"));
        Assert.Equal(text, LineageSvg.Render(Diamond.Walk("top")));
        var svg = XDocument.Parse(text);
        Assert.Equal("http://www.w3.org/2000/svg", svg.Root!.Name.NamespaceName);
        Assert.DoesNotContain(svg.Descendants(), e => e.Name.LocalName is "script" or "image" or "a" or "foreignObject");
        Assert.DoesNotContain(svg.Descendants().Attributes(), a => a.Name.LocalName is "href" || a.Name.LocalName.StartsWith("on", StringComparison.Ordinal));
        Assert.Equal(["a/top@1", "a/left@1", "a/right@1", "a/base@1", "a/other@1"], Texts(svg, "title"));
        Assert.Equal(["×1", "×1", "×1", "×2", "×2", "×3"], Texts(svg, "small").Where(t => t.StartsWith('×')).Order());
        Assert.Contains("prefers-color-scheme: dark", text, StringComparison.Ordinal);
    }

    [Fact]
    public void What_would_be_markup_is_text()
    {
        var odd = new LineageNode(new VersionReference("a/x</text><script>alert(1)</script>&\u0001", 1, ""), LineageKind.Merge, "<b>\"'");
        var svg = XDocument.Parse(LineageSvg.Render(new([odd], [])));
        Assert.DoesNotContain(svg.Descendants(), e => e.Name.LocalName is "script" or "b");
        Assert.Contains("<script>alert(1)</script>&\uFFFD", svg.Descendants().First(e => e.Name.LocalName == "title").Value, StringComparison.Ordinal);
    }

    [Fact]
    public void No_box_overlaps_another_and_edges_lead_from_left_to_right()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            var count = random.Next(1, 40);
            LineageNode[] nodes = [.. Enumerable.Range(0, count).Select(i => new LineageNode(new VersionReference($"owner/{new string('n', random.Next(1, 60))}", i, ""), LineageKind.Merge, "m"))];
            LineageEdge[] edges = [.. Enumerable.Range(1, count - 1).SelectMany(p => Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(0, p)).Distinct().Select(c => new LineageEdge(c, p, 1, "input")))];
            var svg = XDocument.Parse(LineageSvg.Render(new([.. nodes], [.. edges])));
            var boxes = svg.Descendants().Where(e => e.Name.LocalName == "rect" && (string?)e.Attribute("class") == "node").Select(Rectangle).ToList();
            Assert.Equal(count, boxes.Count);
            for (var i = 0; i < count; i++)
                for (var j = 0; j < i; j++)
                    Assert.False(boxes[i].X < boxes[j].X + boxes[j].Width && boxes[j].X < boxes[i].X + boxes[i].Width && boxes[i].Y < boxes[j].Y + boxes[j].Height && boxes[j].Y < boxes[i].Y + boxes[i].Height);
            Assert.All(edges, e => Assert.True(boxes[e.Child].X + boxes[e.Child].Width < boxes[e.Parent].X));
            Assert.Equal(edges.Length, svg.Descendants().Count(e => (string?)e.Attribute("class") == "edge"));
            var page = svg.Root!.Attribute("viewBox")!.Value.Split(' ').Select(v => double.Parse(v, CultureInfo.InvariantCulture)).ToArray();
            Assert.All(boxes, b => Assert.True(b.X >= page[0] && b.Y >= page[1] && b.X + b.Width <= page[0] + page[2] && b.Y + b.Height <= page[1] + page[3]));
        }
    }

    private static IEnumerable<string> Texts(XDocument svg, string style) =>
        svg.Descendants().Where(e => e.Name.LocalName == "text" && (string?)e.Attribute("class") == style).Select(e => e.Value);

    private static (double X, double Y, double Width, double Height) Rectangle(XElement rect)
    {
        double Get(string name) => double.Parse(rect.Attribute(name)!.Value, CultureInfo.InvariantCulture);
        return (Get("x"), Get("y"), Get("width"), Get("height"));
    }

    private static string? Name(LineageNode node) => node.Version?.Adapter[2..];
}

using System.Xml.Linq;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>The picture of a clustered library.</summary>
public sealed class MbcMapSvgTests
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    [Fact]
    public void Every_member_is_a_point_with_a_name_and_the_same_snapshot_gives_the_same_bytes()
    {
        var snapshot = Snapshot(60, 5);
        var picture = MbcMapSvg.Render(snapshot);
        Assert.Equal(picture, MbcMapSvg.Render(snapshot));
        var points = Marks(picture, "point");
        Assert.Equal(60, points.Count);
        Assert.Equal(snapshot.Clusters.SelectMany(c => c.Members.Select(m => $"{m.Version.Adapter}@1, {c.Name}")).Order(StringComparer.Ordinal), points.Select(p => p.Value).Order(StringComparer.Ordinal));
        Assert.Equal(5, Marks(picture, "medoid").Count);
        Assert.Contains("60 adapters in 5 clusters by delta", picture, StringComparison.Ordinal);
        Assert.Contains("first axis: 41.2 % of the variance", picture, StringComparison.Ordinal);
        Assert.Contains("2  change nothing", picture, StringComparison.Ordinal);
    }

    [Fact]
    public void Labels_cover_neither_each_other_nor_medoids_and_stay_inside()
    {
        foreach (var clusters in new[] { 3, 12, 40, 100 })
        {
            var document = XDocument.Parse(MbcMapSvg.Render(Snapshot(1000, clusters)));
            var labels = document.Descendants(Svg + "text").Where(t => (string?)t.Attribute("class") == "name")
                .Select(t => (X: (double)t.Attribute("x")!, Y: (double)t.Attribute("y")!, Half: t.Value.Length * 6.6 / 2)).ToList();
            Assert.True(labels.Count >= Math.Min(clusters, 12) - 1, $"{labels.Count} of {clusters} clusters have a label.");
            for (var i = 0; i < labels.Count; i++)
                for (var j = 0; j < i; j++)
                    Assert.True(Math.Abs(labels[i].Y - labels[j].Y) >= 13 || Math.Abs(labels[i].X - labels[j].X) >= labels[i].Half + labels[j].Half);
            Assert.All(labels, l => Assert.True(l.X - l.Half > 44 && l.X + l.Half < 664 && l.Y > 58 && l.Y < 678));
        }
    }

    [Fact]
    public void Names_cannot_become_markup()
    {
        var snapshot = Snapshot(4, 1);
        var evil = "a<script>alert('1')</script>\u0001&\"/x";
        var member = snapshot.Clusters[0].Members[0] with { Version = new(evil, 1, "id") };
        var picture = MbcMapSvg.Render(snapshot with { BaseModel = evil, Clusters = [snapshot.Clusters[0] with { Medoid = member.Version, Members = [member] }] });
        var document = XDocument.Parse(picture);
        Assert.Empty(document.Descendants(Svg + "script"));
        Assert.DoesNotContain("<script", picture, StringComparison.Ordinal);
        Assert.Contains(evil.Replace('\u0001', '\uFFFD') + "@1, c0", document.Descendants(Svg + "title").Select(t => t.Value));
    }

    [Fact]
    public void Points_in_one_place_and_thousands_of_them_are_no_trouble()
    {
        var snapshot = Snapshot(6, 2);
        var same = snapshot with { Clusters = [.. snapshot.Clusters.Select(c => c with { Members = [.. c.Members.Select(m => m with { X = 0.5, Y = 0.5 })] })] };
        Assert.DoesNotContain("NaN", MbcMapSvg.Render(same), StringComparison.Ordinal);
        var picture = MbcMapSvg.Render(Snapshot(5000, 60));
        Assert.Equal(5000, Marks(picture, "point").Count);
        Assert.True(picture.Length < 600_000);
        Assert.Contains("and 32 more with", picture, StringComparison.Ordinal);
    }

    internal static ClusterSnapshotView Snapshot(int members, int clusters)
    {
        var random = new Random(members + clusters);
        var names = new[] { "acme/sql-generation", "eve/poetry", "lab/code-review-assistant-large", "ann/summaries", "bob/chat", "corp/legal-contracts", "zed/translation-de-en" };
        var centres = Enumerable.Range(0, clusters).Select(_ => (X: Adapters.Normal(random) * 0.4, Y: Adapters.Normal(random) * 0.25)).ToList();
        var views = centres.Select((centre, c) =>
        {
            var size = (members / clusters) + (c < members % clusters ? 1 : 0);
            var own = Enumerable.Range(0, size).Select(i => new ClusterMemberView(
                new VersionReference($"{names[c % names.Length]}-{c}-{i}", 1, $"id{c}{i}"), 0.8, 0.85, centre.X + (0.05 * Adapters.Normal(random)), centre.Y + (0.05 * Adapters.Normal(random)))).ToList();
            return new ClusterView($"c{c}", own[0].Version, size, 0.7, 0.1, clusters > 1 ? "c0" : null, 0.6, own);
        }).ToList();
        return new(
            "0123456789abcdef0123456789abcdef", "meta-llama/Llama-3.1-8B", "delta", "public", "sketch", null, 128, 0.9, clusters, members, 0.61, 12.5,
            new DateTimeOffset(2026, 11, 25, 3, 0, 0, TimeSpan.Zero), views, [new("ann/untrained", 1, "z1"), new("bob/untrained", 1, "z2")],
            [new(new("eve/other-ranks", 1, "e1"), "Its ranks differ.")], [], [0.412, 0.187], null, [], clusters);
    }

    private static List<XElement> Marks(string picture, string style) =>
        [.. XDocument.Parse(picture).Descendants(Svg + "g").Where(g => ((string?)g.Attribute("class"))?.Split(' ')[0] == style).SelectMany(g => g.Elements())];
}

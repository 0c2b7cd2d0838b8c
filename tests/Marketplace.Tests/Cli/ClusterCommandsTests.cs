using System.Text.Json;
using System.Xml.Linq;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>The commands about clusters, over HTTP on a running stack.</summary>
public sealed class ClusterCommandsTests(UpFixture fixture) : IClassFixture<UpFixture>
{
    private const string Base = "marketplace/samples-base";

    private readonly CliProcess cli = fixture.Cli;

    [Fact]
    public async Task A_library_is_clustered_shown_listed_and_drawn()
    {
        foreach (var sample in new[] { "copy", "sort", "log", "reverse" })
            await Publish(sample);

        var first = await Ok("cluster", Base);
        Assert.Equal(("exact", 4), (first.GetProperty("mode").GetString(), first.GetProperty("members").GetInt32()));
        Assert.Equal([2, 3], first.GetProperty("curve").EnumerateArray().Select(c => c.GetProperty("k").GetInt32()));
        var second = await Ok("cluster", Base, "--k", "2", "--mode", "sketch", "--similarity", "delta", "--components", "8");
        Assert.Equal(("sketch", 2, 8), (second.GetProperty("mode").GetString(), second.GetProperty("k").GetInt32(), second.GetProperty("components").GetInt32()));
        Assert.Equal(Id(first), second.GetProperty("previous").GetString());
        var flat = await Ok("cluster", Base, "--similarity", "flatAb", "--sparsity", "0.5", "-k", "1");
        Assert.Equal(0.5, flat.GetProperty("sparsity").GetDouble());

        var list = (await Ok("clusters", "list", Base)).GetProperty("items").EnumerateArray().Select(Id).ToList();
        Assert.Equal([Id(flat), Id(second), Id(first)], list);
        Assert.Equal(Id(second), Id(await Ok("clusters", "show", Id(second))));
        Assert.Equal(Id(flat), Id(await Ok("clusters", "show", Base)));

        await Publish("upper");
        Assert.Equal("ada/upper", (await Ok("clusters", "show", Id(second))).GetProperty("arrivals")[0].GetProperty("version").GetProperty("adapter").GetString());
        var cluster = (await Ok("show", "ada/sort")).GetProperty("cluster");
        Assert.Equal(("member", Id(second)), (cluster.GetProperty("role").GetString(), cluster.GetProperty("snapshotId").GetString()));
        Assert.Contains("arrived since", (await cli.Run("show", "ada/upper")).Output, StringComparison.Ordinal);

        var (svg, json) = (Path.Combine(cli.Home, "map.svg"), Path.Combine(cli.Home, "map.json"));
        var map = await Ok("map", Id(second), "-o", svg);
        Assert.Equal(4, map.GetProperty("points").GetArrayLength());
        Assert.Equal("svg", XDocument.Load(svg).Root!.Name.LocalName);
        await Ok("map", Base, "-o", json);
        Assert.Equal(4, JsonDocument.Parse(await File.ReadAllTextAsync(json, TestContext.Current.CancellationToken)).RootElement.GetProperty("points").GetArrayLength());

        // For people: clusters, members, the curve, who moved.
        var shown = (await cli.Run("clusters", "show", Id(first))).Output;
        Assert.All(new[] { "medoid", "cohesion", "silhouette", "c0", "ada/copy@1", "←" }, word => Assert.Contains(word, shown, StringComparison.Ordinal));
        Assert.Contains("arrived since", (await cli.Run("clusters", "show", Id(second))).Output, StringComparison.Ordinal);
        var moved = (await cli.Run("cluster", Base, "--k", "2")).Output;
        Assert.Contains("joined", moved, StringComparison.Ordinal);
        Assert.Equal(5, (await cli.Run("clusters", "show", "nobody/nothing")).ExitCode);
        Assert.Equal(2, (await cli.Run("cluster", Base, "--mode", "guess")).ExitCode);
    }

    private static string Id(JsonElement snapshot) => snapshot.GetProperty("id").GetString()!;

    private Task<JsonElement> Publish(string sample) => Ok("publish", Path.Combine(Fixtures.Repository, "samples", "library", sample));

    private async Task<JsonElement> Ok(params string[] args)
    {
        var run = await cli.Run([.. args, "--json"]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', args)}: {run}");
        return run.Json;
    }
}

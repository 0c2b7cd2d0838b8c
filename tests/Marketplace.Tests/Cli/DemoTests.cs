using System.Text.Json;
using Xunit;

namespace Marketplace.Tests.Cli;

public sealed class DemoTests : IDisposable
{
    private readonly CliProcess cli = new();

    [Fact]
    public async Task The_demo_does_and_checks_the_whole_main_job()
    {
        var run = await cli.Run("demo", "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Single(run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(
            ["published", "rejected", "clusters", "subtracted", "built", "routers", "recognised", "merged", "downloadVerified", "scored", "seconds"],
            run.Json.EnumerateObject().Select(p => p.Name));
        Assert.Equal(8, run.Json.GetProperty("published").GetInt32());
        Assert.Equal(2, run.Json.GetProperty("rejected").GetInt32());
        Assert.InRange(run.Json.GetProperty("clusters").GetInt32(), 2, 7);
        Assert.Equal(6, run.Json.GetProperty("subtracted").GetInt32());
        Assert.Equal(run.Json.GetProperty("clusters").GetInt32(), run.Json.GetProperty("built").GetInt32());
        Assert.Equal(2, run.Json.GetProperty("routers").GetInt32());
        Assert.Equal(1, run.Json.GetProperty("recognised").GetInt32());
        Assert.Equal(4, run.Json.GetProperty("merged").GetInt32());
        Assert.Equal(JsonValueKind.True, run.Json.GetProperty("downloadVerified").ValueKind);
        Assert.Equal(84, run.Json.GetProperty("scored").GetInt32());
        Assert.True(run.Json.GetProperty("seconds").GetDouble() > 0);
    }

    public void Dispose() => cli.Dispose();
}

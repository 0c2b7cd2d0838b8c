using System.Runtime.Versioning;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

[SupportedOSPlatform("linux")]
public sealed class StackTests : IDisposable
{
    private readonly CliProcess cli = new();

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task Up_stops_every_process_it_started(string signal)
    {
        await using var up = await RunningUp.Start(cli);
        Assert.Equal(3, up.Children.Count);
        Assert.Equal(0, (await cli.Run("list")).ExitCode);

        up.Signal(signal);

        Assert.Equal(0, await up.Exit());
        Assert.Empty(await up.Survivors());
        Assert.Equal(3, (await cli.Run("list")).ExitCode);
    }

    [Fact]
    public async Task A_killed_up_takes_its_children_along()
    {
        await using var up = await RunningUp.Start(cli);

        up.Signal(Signals.Kill);

        await up.Exit();
        Assert.Empty(await up.Survivors());
        Assert.Equal(3, (await cli.Run("list")).ExitCode);
    }

    [Theory]
    [InlineData("Marketplace.Functions.dll")]
    [InlineData("Marketplace.Kernels.dll")]
    [InlineData("azurite")]
    public async Task A_child_that_ends_by_itself_ends_up_with_an_error(string child)
    {
        await using var up = await RunningUp.Start(cli);

        Signals.Send(up.Children.Single(c => c.Command.Contains(child, StringComparison.Ordinal)).Id, Signals.Kill);

        Assert.Equal(6, await up.Exit());
        Assert.Contains("ended by itself", await up.Errors());
        Assert.Empty(await up.Survivors());
    }

    [Fact]
    public async Task Adapters_and_key_are_there_again_after_a_restart()
    {
        string key;
        await using (var up = await RunningUp.Start(cli, "--owner", "ada"))
        {
            key = up.Key;
            Assert.Equal("ada", up.Announced.GetProperty("owner").GetString());
            var published = await cli.Run("publish", Path.Combine(Fixtures.Repository, "samples", "library", "sort"));
            Assert.True(published.ExitCode == 0, published.ToString());
        }

        await using (var up = await RunningUp.Start(cli, "--owner", "ada"))
        {
            Assert.Equal(key, up.Key);
            Assert.Equal(0, (await cli.Run("show", "ada/sort")).ExitCode);
        }
    }

    [Fact]
    public async Task A_second_up_on_the_same_data_is_refused()
    {
        await using var up = await RunningUp.Start(cli);

        Assert.Equal(1, (await cli.Run("up")).ExitCode);
        var same = await cli.Run("up", "--data", Path.Combine(cli.Home, "data", "marketplace"), "--json");

        Assert.Equal(1, same.ExitCode);
        Assert.Equal("busy", same.Json.GetProperty("code").GetString());
    }

    [Fact]
    public async Task The_key_is_written_for_its_owner_only()
    {
        await using var up = await RunningUp.Start(cli);

        var file = Path.Combine(cli.Home, "state", "marketplace", "running.json");

        Assert.Contains(up.Key, await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }

    public void Dispose() => cli.Dispose();
}

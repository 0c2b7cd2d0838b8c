using System.Diagnostics;
using System.Security.Cryptography;
using Marketplace.Core;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

public sealed class PublishAndDownloadTests(UpFixture fixture) : IClassFixture<UpFixture>
{
    private readonly CliProcess cli = fixture.Cli;

    private static string Samples => Path.Combine(Fixtures.Repository, "samples");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_publish_that_was_killed_goes_on_where_it_was()
    {
        var folder = Path.Combine(cli.Home, "big");
        await BigAdapter.Write(folder);
        using (var killed = cli.Start("publish", folder, "--json"))
        {
            await SomeBlocksAreAcknowledged(killed);
            killed.Kill();
            await killed.WaitForExitAsync(Stop);
        }

        Assert.Equal(5, (await cli.Run("show", "ada/big")).ExitCode);
        var run = await cli.Run("publish", folder, "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.InRange(run.Json.GetProperty("resumedBytes").GetInt64(), 4 << 20, 64 << 20);
        var shown = (await cli.Run("show", "ada/big", "--json")).Json;
        Assert.Equal(1, shown.GetProperty("versions").GetArrayLength());
        await using var weights = File.OpenRead(Path.Combine(folder, RepositoryPath.Weights));
        var digest = Convert.ToHexStringLower(await SHA256.HashDataAsync(weights, Stop));
        Assert.Contains(shown.GetProperty("version").GetProperty("files").EnumerateArray(), f => f.GetProperty("sha256").GetString() == digest);
        Assert.Empty(Directory.GetFiles(Path.Combine(cli.Home, "state", "marketplace", "uploads")));
    }

    [Fact]
    public async Task The_service_refuses_what_a_local_check_would_have_refused()
    {
        var broken = Path.Combine(Samples, "broken", "rank-mismatch");
        var local = (await cli.Run("validate", broken, "--json")).Json.GetProperty("issues");

        var run = await cli.Run("publish", broken, "--no-local-check", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal("rejected", run.Json.GetProperty("state").GetString());
        Assert.Equal(Errors(local), Errors(run.Json.GetProperty("issues")));
    }

    [Fact]
    public async Task A_damaged_partial_download_is_thrown_away()
    {
        Assert.Equal(0, (await cli.Run("publish", Path.Combine(Samples, "library", "sort"))).ExitCode);
        var bytes = await File.ReadAllBytesAsync(Path.Combine(Samples, "library", "sort", RepositoryPath.Weights), Stop);
        using var folder = new TemporaryFolder();
        var target = folder.Path;
        var partial = Path.Combine(target, $"{RepositoryPath.Weights}.{Digest.Of(bytes).Hex[..12]}.part");
        var half = bytes[..(bytes.Length / 2)];
        half[^1] ^= 1;
        await File.WriteAllBytesAsync(partial, half, Stop);

        var damaged = await cli.Run("download", "ada/sort", target, "--json");
        var again = await cli.Run("download", "ada/sort", target, "--json");

        Assert.Equal(1, damaged.ExitCode);
        Assert.Equal("digest-mismatch", damaged.Json.GetProperty("code").GetString());
        Assert.True(again.ExitCode == 0, again.ToString());
        Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(target, RepositoryPath.Weights), Stop));
        Assert.False(File.Exists(partial));
    }

    [Fact]
    public async Task A_partial_download_is_continued()
    {
        Assert.Equal(0, (await cli.Run("publish", Path.Combine(Samples, "library", "sort"))).ExitCode);
        var bytes = await File.ReadAllBytesAsync(Path.Combine(Samples, "library", "sort", RepositoryPath.Weights), Stop);
        using var folder = new TemporaryFolder();
        var target = folder.Path;
        await File.WriteAllBytesAsync(Path.Combine(target, $"{RepositoryPath.Weights}.{Digest.Of(bytes).Hex[..12]}.part"), bytes[..1000], Stop);

        var run = await cli.Run("download", "ada/sort@1", target);

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(target, RepositoryPath.Weights), Stop));
    }

    [Fact]
    public async Task A_misspelled_adapter_is_answered_with_the_right_one()
    {
        Assert.Equal(0, (await cli.Run("publish", Path.Combine(Samples, "library", "sort"))).ExitCode);

        var run = await cli.Run("show", "ada/srot");

        Assert.Equal(5, run.ExitCode);
        Assert.Contains("Did you mean ada/sort?", run.Errors);
    }

    [Fact]
    public async Task Without_a_key_or_with_a_wrong_one_nothing_is_published()
    {
        // A state folder of its own: the local key is for those who share that of `up`.
        using var stranger = new CliProcess();
        stranger.Environment["MARKETPLACE_URL"] = fixture.Up.Url;
        var none = await stranger.Run("publish", Path.Combine(Samples, "library", "sort"), "--json");
        stranger.Environment["MARKETPLACE_KEY"] = "hf_" + new string('x', 37);
        var wrong = await stranger.Run("publish", Path.Combine(Samples, "library", "sort"), "ada/sort", "--json");

        Assert.Equal((4, "unauthenticated"), (wrong.ExitCode, wrong.Json.GetProperty("code").GetString()));
        Assert.Equal((4, "unauthenticated"), (none.ExitCode, none.Json.GetProperty("code").GetString()));
        Assert.Contains("MARKETPLACE_KEY", none.Json.GetProperty("hint").GetString());
    }

    private static IEnumerable<string> Errors(System.Text.Json.JsonElement issues) =>
        issues.EnumerateArray().Where(i => i.GetProperty("severity").GetString() == "error").Select(i => i.GetProperty("code").GetString()!).Order();

    // The journal's first line is the ticket; each further one is a block that storage has.
    private async Task SomeBlocksAreAcknowledged(Process publish)
    {
        var uploads = Path.Combine(cli.Home, "state", "marketplace", "uploads");
        while (!publish.HasExited)
        {
            if (Directory.Exists(uploads) && Directory.GetFiles(uploads) is [var journal, ..] && CountLines(journal) >= 5)
                return;
            await Task.Delay(1, Stop);
        }

        Assert.Fail($"The publish ended before it could be killed: {await publish.StandardError.ReadToEndAsync(Stop)}");
    }

    private static int CountLines(string path)
    {
        // Not File.OpenRead: the program holds the file for itself, and .NET would respect that.
        using var cat = Process.Start(new ProcessStartInfo("cat", [path]) { RedirectStandardOutput = true })!;
        return cat.StandardOutput.ReadToEnd().Count(c => c == '\n');
    }
}

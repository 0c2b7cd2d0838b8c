using System.Security.Cryptography;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary><c>marketplace download --rank</c>.</summary>
public sealed class RankDownloadTests(UpFixture fixture) : IClassFixture<UpFixture>
{
    private readonly CliProcess cli = fixture.Cli;

    private static string Sort => Path.Combine(Fixtures.Repository, "samples", "library", "sort");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_download_at_a_smaller_rank_is_verified_and_says_what_was_discarded()
    {
        Assert.Equal(0, (await cli.Run("publish", Sort)).ExitCode);
        using var folder = new TemporaryFolder();

        var run = await cli.Run("download", "ada/sort", folder.Path, "--rank", "3", "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(3, run.Json.GetProperty("rank").GetInt32());
        foreach (var file in run.Json.GetProperty("files").EnumerateArray())
        {
            await using var bytes = File.OpenRead(Path.Combine(folder.Path, file.GetProperty("path").GetString()!));
            Assert.Equal(file.GetProperty("sha256").GetString(), Convert.ToHexStringLower(await SHA256.HashDataAsync(bytes, Stop)));
        }

        Assert.Equal([RepositoryPath.Config, RepositoryPath.Weights], Directory.GetFiles(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        using var stored = AdapterReader.Open(Sort);
        using var truncated = AdapterReader.Open(folder.Path);
        var (discarded, total) = (0d, 0d);
        foreach (var module in stored.Modules)
        {
            var dense = Dense.Of(stored.Delta(module.Name)!);
            Dense.AssertClose(Dense.Truncate(dense, 3), truncated.Delta(module.Name)!, 1.0 / 128);
            var energies = Dense.SingularValues(dense).Select(s => s * s).ToList();
            (discarded, total) = (discarded + energies.Skip(3).Sum(), total + energies.Sum());
        }

        Assert.Equal(discarded / total, run.Json.GetProperty("discardedEnergy").GetDouble(), 1e-9);

        var told = await cli.Run("download", "ada/sort", folder.Path, "--rank", "3");
        Assert.Contains("truncated from rank 8 to 3", told.Output);
        var whole = await cli.Run("download", "ada/sort", folder.Path, "--rank", "8");
        Assert.Contains("as stored", whole.Output);
        Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(Sort, RepositoryPath.Weights), Stop), await File.ReadAllBytesAsync(Path.Combine(folder.Path, RepositoryPath.Weights), Stop));
    }

    [Fact]
    public async Task A_truncated_download_that_was_damaged_is_thrown_away()
    {
        Assert.Equal(0, (await cli.Run("publish", Sort)).ExitCode);
        using (var good = new TemporaryFolder())
        using (var target = new TemporaryFolder())
        {
            Assert.Equal(0, (await cli.Run("download", "ada/sort", good.Path, "--rank", "2")).ExitCode);
            var bytes = await File.ReadAllBytesAsync(Path.Combine(good.Path, RepositoryPath.Weights), Stop);
            var half = bytes[..(bytes.Length / 2)];
            half[^1] ^= 1;
            await File.WriteAllBytesAsync(Path.Combine(target.Path, $"{RepositoryPath.Weights}.{Digest.Of(bytes).Hex[..12]}.part"), half, Stop);

            var damaged = await cli.Run("download", "ada/sort", target.Path, "--rank", "2", "--json");

            Assert.Equal((1, "digest-mismatch"), (damaged.ExitCode, damaged.Json.GetProperty("code").GetString()));
            Assert.False(File.Exists(Path.Combine(target.Path, RepositoryPath.Weights)));
        }
    }

    [Fact]
    public async Task A_rank_that_is_none_is_refused()
    {
        Assert.Equal(0, (await cli.Run("publish", Sort)).ExitCode);
        using var folder = new TemporaryFolder();
        var zero = await cli.Run("download", "ada/sort", folder.Path, "--rank", "0", "--json");
        Assert.Equal((1, "invalid-request"), (zero.ExitCode, zero.Json.GetProperty("code").GetString()));
        Assert.Equal(2, (await cli.Run("download", "ada/sort", folder.Path, "--rank", "few")).ExitCode);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }
}

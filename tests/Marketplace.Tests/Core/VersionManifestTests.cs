using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Marketplace.Core;
using Xunit;

namespace Marketplace.Tests.Core;

public sealed class VersionManifestTests
{
    private static ManifestFile File(string path, string content) =>
        new(path, Digest.Of(Encoding.UTF8.GetBytes(content)), Encoding.UTF8.GetByteCount(content), GitBlobHash.Of(Encoding.UTF8.GetBytes(content)));

    [Fact]
    public void Git_names_blobs_as_git_does()
    {
        Assert.Equal("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", GitBlobHash.Of([]));
        Assert.Equal("ce013625030ba8dba906f756967f9e9ca394464a", GitBlobHash.Of("hello\n"u8));
    }

    [Fact]
    public void The_id_is_the_start_of_the_hash_of_the_canonical_lines()
    {
        var manifest = VersionManifest.Create([File("b.txt", "2"), File("a/c.txt", "1")], new string('0', 40));
        var expected = "adapter-version 1\n" + "parent " + new string('0', 40) + "\n"
            + "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b 1 a/c.txt\n"
            + "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35 1 b.txt\n";
        Assert.Equal(expected, Encoding.UTF8.GetString(manifest.CanonicalBytes()));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(expected)))[..40], manifest.Id);
        Assert.Equal(["a/c.txt", "b.txt"], manifest.Files.Select(f => f.Path));
        Assert.Equal(1, manifest.Find("b.txt")!.Size);
        Assert.Null(manifest.Find("c.txt"));
    }

    [Fact]
    public void The_order_of_files_does_not_change_the_id() =>
        Gen.Int[0, 9].HashSet[1, 8].Select(Gen.Int).Sample((numbers, seed) =>
        {
            var files = numbers.Select(n => File($"f{n}", $"{n}")).ToArray();
            var shuffled = files.ToArray();
            new Random(seed).Shuffle(shuffled);
            return VersionManifest.Create(files, null).Id == VersionManifest.Create(shuffled, null).Id;
        });

    [Fact]
    public void Everything_that_makes_a_version_changes_the_id()
    {
        var parent = new string('a', 40);
        var ids = new[]
        {
            VersionManifest.Create([], null), VersionManifest.Create([File("a", "1")], null), VersionManifest.Create([File("b", "1")], null),
            VersionManifest.Create([File("a", "2")], null), VersionManifest.Create([File("a", "1")], parent),
            VersionManifest.Create([File("a", "1") with { Size = 2 }], null), VersionManifest.Create([File("a", "1"), File("b", "1")], null),
        }.Select(m => m.Id);
        Assert.Equal(7, ids.Distinct().Count());
    }

    [Fact]
    public void Going_back_to_earlier_content_is_a_new_version()
    {
        var first = VersionManifest.Create([File("a", "1")], null);
        var second = VersionManifest.Create([File("a", "2")], first.Id);
        var third = VersionManifest.Create([File("a", "1")], second.Id);
        Assert.NotEqual(first.Id, third.Id);
    }

    [Fact]
    public void Malformed_manifests_are_refused()
    {
        ManifestFile[][] bad =
        [
            [File("../a", "1")],
            [File("a", "1"), File("a", "2")],
            [File("a", "1"), File("a-b", "1"), File("a/b", "1")],
            [File("a", "1") with { Size = -1 }],
            [File("a", "1") with { GitSha1 = "A" }],
        ];
        foreach (var files in bad)
        {
            Assert.False(VersionManifest.TryCreate(files, null, out _, out var problem));
            Assert.Contains($"'{files[0].Path}'", problem, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>(() => VersionManifest.Create(files, null));
        }

        Assert.False(VersionManifest.TryCreate([], "main", out _, out _));
    }
}

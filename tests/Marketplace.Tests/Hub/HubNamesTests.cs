using System.Text;
using CsCheck;
using Marketplace.Core;
using Marketplace.Functions.Hub;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Names that the Hub's protocol makes of others: folders of labels, git's names, pointers, variants, ranges.</summary>
public sealed class HubNamesTests
{
    private static readonly Gen<string> Labels = Gen.OneOf(
        Gen.String[Gen.Char["ab-/.~_é\0#% "], 0, 8], Gen.String[0, 6], Gen.String[Gen.Char["-/"], 0, 6], Gen.String[Gen.Char["a-"], 190, 230],
        Gen.OneOf([.. new[] { ".", "..", ".git", ".GIT", ".cache", "README.md", "readme.md", "", "~", "~002e", "a--b", "a/b", "a-/b", "a---b" }.Select(Gen.Const)]));

    [Fact]
    public void Every_label_is_a_folder_and_two_are_never_the_same() => Gen.Select(Labels, Labels).Sample((a, b) =>
    {
        var (folder, other) = (CollectionLabel.ToFolder(a), CollectionLabel.ToFolder(b));
        Assert.True(RepositoryPath.IsValid(folder), folder);
        Assert.DoesNotContain('/', folder);
        Assert.NotEqual("README.md", folder);
        Assert.Equal(a == b, folder == other);
    });

    [Theory]
    [InlineData("c0", "c0")]
    [InlineData("ann/sql-lora", "ann--sql-lora")]
    [InlineData("a--b", "a~002d~002db")]
    [InlineData("a-/b", "a~002d--b")]
    [InlineData("..", "~002e.")]
    [InlineData("README.md", "~0052EADME.md")]
    [InlineData("two words", "two~0020words")]
    public void Labels_stay_readable(string label, string folder) => Assert.Equal(folder, CollectionLabel.ToFolder(label));

    [Fact]
    public void Folders_have_the_names_that_git_gives_them()
    {
        // As git names them: printf hello > a/b.txt, a/c/d.txt, a.txt; git write-tree.
        var hello = GitBlobHash.Of("hello"u8);
        Assert.Equal("b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0", hello);
        var folders = GitTreeHash.Folders([("a/b.txt", hello), ("a/c/d.txt", hello), ("a.txt", hello), ("a/c.txt", hello)]);
        Assert.Equal(["a", "a/c"], folders.Keys);
        Assert.Equal("95a2117bcfaf9e3347235e640ab87d17dd0336c4", folders["a/c"]);
        Assert.Equal("54b6d31f2a6b251f735fc279acebf98eb0321be6", folders["a"]);
    }

    [Fact]
    public void A_pointer_has_the_three_lines_of_its_specification()
    {
        var pointer = LfsPointer.Of(Digest.Of("hello"u8), 5);
        Assert.Equal("version https://git-lfs.github.com/spec/v1\noid sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\nsize 5\n", Encoding.ASCII.GetString(pointer));
    }

    [Theory]
    [InlineData("main-rank8", "main", "rank8")]
    [InlineData("v2-serving", "v2", "serving")]
    [InlineData("my-tag-rank16", "my-tag", "rank16")]
    [InlineData("main", null, null)]
    [InlineData("main-rank08", null, null)]
    [InlineData("main-rank8\n", null, null)]
    [InlineData("-serving", null, null)]
    public void A_variant_s_name_is_a_revision_and_a_form(string revision, string? version, string? form)
    {
        Assert.Equal(version is null ? null : (version, form!), HubVariants.Parse(revision));
        Assert.Equal(version is not null, HubVariants.IsName(revision));
    }

    [Fact]
    public void A_range_lies_within_the_file() => Gen.Select(Gen.Long[0, 20], Gen.Long[0, 30], Gen.Long[0, 30], Gen.Int[0, 2]).Sample((size, a, b, form) =>
    {
        var header = form switch { 0 => $"bytes={a}-{b}", 1 => $"bytes={a}-", _ => $"bytes=-{a}" };
        var bytes = Enumerable.Range(0, (int)size).Select(i => (long)i).ToList();
        var wanted = form switch { 0 => bytes.Where(i => i >= a && i <= b), 1 => bytes.Where(i => i >= a), _ => bytes.Where(i => i >= size - a) };
        var range = ByteRange.Parse(header, size);
        if (form == 0 && b < a)
            Assert.Null(range);
        else
            Assert.Equal(wanted, Enumerable.Range(0, (int)range!.Value.Length).Select(i => range.Value.From + i));
    });
}

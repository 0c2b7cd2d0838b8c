using Marketplace.Core;
using Xunit;

namespace Marketplace.Tests.Core;

public sealed class RepositoryPathTests
{
    [Theory]
    [InlineData("adapter_config.json")]
    [InlineData("README.md")]
    [InlineData(".gitattributes")]
    [InlineData("a/b/c.txt")]
    [InlineData("données/été 😀.txt")]
    [InlineData("a..b")]
    [InlineData(".gitx/x")]
    public void Ordinary_paths_are_valid(string path) => Assert.True(RepositoryPath.IsValid(path));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData(".")]
    [InlineData("a/../b")]
    [InlineData("a/./b")]
    [InlineData(".git/config")]
    [InlineData(".GIT/config")]
    [InlineData("x/.cache/y")]
    [InlineData("C:/x")]
    [InlineData("a\\b")]
    [InlineData("a*b")]
    [InlineData("a?b")]
    [InlineData("a\"b")]
    [InlineData("a<b")]
    [InlineData("a>b")]
    [InlineData("a|b")]
    [InlineData("a#b")]
    [InlineData("a%20b")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    [InlineData("a\u0085b")]
    public void Paths_that_clients_refuse_or_cannot_fetch_are_invalid(string? path) => Assert.False(RepositoryPath.IsValid(path));

    [Fact]
    public void A_lone_surrogate_is_invalid() // built here: attributes can't hold ill-formed strings
    {
        Assert.False(RepositoryPath.IsValid("a" + (char)0xD800));
        Assert.False(RepositoryPath.IsValid((char)0xDC00 + "a"));
    }

    [Fact]
    public void Lengths_are_limited_in_bytes()
    {
        Assert.True(RepositoryPath.IsValid(new string('a', 255)));
        Assert.False(RepositoryPath.IsValid(new string('a', 256)));
        Assert.True(RepositoryPath.IsValid(new string('é', 127)));
        Assert.False(RepositoryPath.IsValid(new string('é', 128)));
        Assert.True(RepositoryPath.IsValid(string.Join('/', Enumerable.Repeat(new string('a', 204), 5))));
        Assert.False(RepositoryPath.IsValid(string.Join('/', Enumerable.Repeat(new string('a', 205), 5))));
    }
}

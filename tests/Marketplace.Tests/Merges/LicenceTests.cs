using Marketplace.Core.Merges;
using Xunit;

namespace Marketplace.Tests.Merges;

public sealed class LicenceTests
{
    [Theory]
    [InlineData(Permission.Yes, Permission.Yes, "", "apache-2.0", "mit")]
    [InlineData(Permission.Yes, Permission.Yes, "", "cc0-1.0")]
    [InlineData(Permission.No, Permission.Yes, "", "apache-2.0", "cc-by-nc-4.0")]
    [InlineData(Permission.Conditions, Permission.Conditions, "", "mit", "llama3.1")]
    [InlineData(Permission.Conditions, Permission.Conditions, "", "gemma", "openrail")]
    [InlineData(Permission.No, Permission.Conditions, "", "gemma", "cc-by-nc-4.0")]
    [InlineData(Permission.Unknown, Permission.Unknown, "", "mit", "other")]
    [InlineData(Permission.Unknown, Permission.Unknown, "", "mit", null)]
    [InlineData(Permission.No, Permission.Unknown, "", "cc-by-nc-4.0", "unknown")]
    [InlineData(Permission.Yes, Permission.Yes, "cc-by-sa-4.0 gpl-3.0 agpl-3.0", "apache-2.0", "cc-by-sa-4.0")]
    [InlineData(Permission.Yes, Permission.Yes, "gpl-3.0 agpl-3.0", "gpl-3.0", "cc-by-sa-4.0")]
    [InlineData(Permission.Yes, Permission.Yes, "agpl-3.0", "gpl-3.0", "agpl-3.0")]
    [InlineData(Permission.Yes, Permission.Yes, "agpl-3.0", "mpl-2.0", "lgpl-3.0", "agpl-3.0")]
    [InlineData(Permission.No, Permission.Yes, "cc-by-nc-sa-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nc-4.0")]
    public void What_is_allowed_is_what_the_strictest_parent_allows(Permission commercial, Permission derivatives, string shareAlike, params string?[] licences)
    {
        var combined = Of(licences);
        Assert.Equal((commercial, derivatives), (combined.Commercial, combined.Derivatives));
        Assert.Empty(combined.Conflicts);
        Assert.Equal(shareAlike.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(), combined.ShareAlike.Order());
    }

    [Theory]
    [InlineData("cc-by-nd-4.0", "mit")]
    [InlineData("cc-by-nc-nd-4.0")]
    [InlineData("gpl-3.0", "gpl-2.0")]
    [InlineData("gpl-2.0", "apache-2.0")]
    [InlineData("gpl-3.0", "odbl")]
    [InlineData("cc-by-sa-4.0", "cc-by-nc-4.0")]
    [InlineData("cc-by-sa-4.0", "cc-by-nc-sa-4.0")]
    [InlineData("gpl-3.0", "llama2")]
    [InlineData("agpl-3.0", "gemma")]
    [InlineData("cc-by-nc-sa-4.0", "openrail")]
    public void What_can_not_be_kept_together_is_a_conflict_in_any_order(params string[] licences)
    {
        foreach (var order in new[] { licences, licences.Reverse().ToArray() })
        {
            var combined = Of(order);
            Assert.NotEmpty(combined.Conflicts);
            Assert.Equal(Permission.No, combined.Derivatives);
            Assert.All(combined.Conflicts, c => Assert.Contains(c.Reason, combined.Summary, StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("apache-2.0", "gpl-3.0")]
    [InlineData("cc-by-4.0", "cc-by-sa-4.0")]
    [InlineData("cc-by-nc-4.0", "cc-by-nc-sa-4.0")]
    [InlineData("llama2", "cc-by-nc-4.0")]
    [InlineData("cc-by-sa-3.0", "cc-by-sa-4.0")]
    public void What_goes_together_is_no_conflict(string first, string second) => Assert.Empty(Of(first, second).Conflicts);

    [Fact]
    public void Three_that_agree_in_pairs_but_not_together_are_a_conflict()
    {
        // MPL and LGPL allow GPL 2 and GPL 3; nothing that GPL 2 allows is allowed by GPL 3.
        Assert.NotEmpty(Of("mpl-2.0", "gpl-2.0", "gpl-3.0").Conflicts);
        Assert.Empty(Of("mpl-2.0", "lgpl-2.1", "gpl-2.0").Conflicts);
    }

    [Fact]
    public void Unknown_stays_unknown_and_names_whom_to_ask()
    {
        var combined = Licences.Combine([("a/known", "mit"), ("a/silent", null), ("a/odd", "my-own-terms")]);
        Assert.Equal(["a/silent", "a/odd"], combined.Unknown);
        Assert.Contains("a/silent and a/odd is unknown", combined.Summary, StringComparison.Ordinal);
        Assert.EndsWith("This is not legal advice.", combined.Summary, StringComparison.Ordinal);
        Assert.Null(combined.Parents[2].Terms);
        Assert.Equal("my-own-terms", combined.Parents[2].Licence);
    }

    [Fact]
    public void Authors_to_name_and_texts_to_pass_on_are_listed()
    {
        var combined = Licences.Combine([("a/free", "cc0-1.0"), ("a/by", "CC-BY-4.0 "), ("a/llama", "llama3"), ("a/more", "llama3")]);
        Assert.Equal(["a/by", "a/llama", "a/more"], combined.Attribution);
        Assert.Equal(["llama3"], combined.PassOn);
        Assert.Contains("a/by, a/llama and a/more must be named", combined.Summary, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("cc-by")]
    [InlineData("cc-by-nc-sa-nd-4.0")]
    [InlineData("cc-by-4.0-extra")]
    [InlineData("mit or apache-2.0")]
    public void What_is_no_name_of_a_licence_says_nothing(string name) => Assert.Null(LicenceTerms.Find(name));

    private static CombinedLicence Of(params string?[] licences) => Licences.Combine([.. licences.Select((l, i) => ($"a/{i}", l))]);
}

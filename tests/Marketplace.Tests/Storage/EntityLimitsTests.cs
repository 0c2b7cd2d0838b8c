using Azure.Data.Tables;
using Marketplace.Storage;
using Xunit;

namespace Marketplace.Tests.Storage;

public sealed class EntityLimitsTests
{
    [Theory]
    [InlineData(252, true)]
    [InlineData(253, false)]
    public void An_entity_has_at_most_252_properties(int count, bool fits)
    {
        var entity = new TableEntity("p", "r");
        for (var i = 0; i < count; i++)
            entity[$"N{i}"] = i;

        Check(entity, fits);
    }

    [Theory]
    [InlineData(32 * 1024, true)]
    [InlineData((32 * 1024) + 1, false)]
    public void A_text_has_at_most_64_KiB_of_UTF_16(int chars, bool fits) => Check(new("p", "r") { ["Text"] = new string('x', chars) }, fits);

    [Theory]
    [InlineData(64 * 1024, true)]
    [InlineData((64 * 1024) + 1, false)]
    public void A_binary_has_at_most_64_KiB(int length, bool fits) => Check(new("p", "r") { ["Bytes"] = new byte[length] }, fits);

    [Theory]
    [InlineData(15, true)]
    [InlineData(16, false)]
    public void An_entity_has_at_most_a_mebibyte_names_and_keys_included(int pieces, bool fits)
    {
        var entity = new TableEntity("p", "r");
        for (var i = 0; i < pieces; i++)
            entity[$"N{i}"] = new string('x', 32 * 1024);

        Check(entity, fits);
    }

    [Theory]
    [InlineData("a|b-c_d.e", true)]
    [InlineData("a/b", false)]
    [InlineData("a\\b", false)]
    [InlineData("a#b", false)]
    [InlineData("a?b", false)]
    [InlineData("a\tb", false)]
    public void Keys_have_no_forbidden_characters(string key, bool fits)
    {
        Check(new(key, "r"), fits);
        Check(new("p", key), fits);
    }

    [Fact]
    public void Keys_have_at_most_a_kibibyte() => Check(new("p", new string('x', 513)), fits: false);

    [Fact]
    public void Absent_values_count_nothing()
    {
        var entity = new TableEntity("p", "r");
        for (var i = 0; i < 300; i++)
            entity[$"N{i}"] = null;

        Check(entity, fits: true);
    }

    private static void Check(TableEntity entity, bool fits)
    {
        var refusal = Record.Exception(() => EntityLimits.Check(entity));

        Assert.Equal(fits, refusal is null);
        Assert.True(refusal is null or StorageLimitException);
    }
}

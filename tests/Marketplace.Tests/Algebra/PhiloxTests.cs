using Marketplace.Core.Algebra;
using Xunit;

namespace Marketplace.Tests.Algebra;

public sealed class PhiloxTests
{
    /// <summary>The known answers published with the generator (Random123).</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Ten_rounds_give_the_published_words(
        uint c0, uint c1, uint c2, uint c3, uint key0, uint key1, uint w0, uint w1, uint w2, uint w3)
    {
        uint[] counter = [c0, c1, c2, c3];
        Philox.Encrypt(counter, key0, key1);
        Assert.Equal([w0, w1, w2, w3], counter);
    }

    [Fact]
    public void A_stream_depends_on_its_seed_and_its_name_only()
    {
        Assert.Equal(Draw(1, "a"), Draw(1, "a"));
        Assert.NotEqual(Draw(1, "a"), Draw(2, "a"));
        Assert.NotEqual(Draw(1, "a"), Draw(1, "b"));
    }

    [Fact]
    public void Numbers_fill_the_unit_interval_evenly()
    {
        var random = new Philox(7, "uniform");
        var counts = new int[10];
        for (var i = 0; i < 10_000; i++)
            counts[(int)(random.NextDouble() * 10)]++;
        Assert.All(counts, c => Assert.InRange(c, 880, 1120)); // four standard deviations
    }

    private static uint[] Draw(ulong seed, string stream)
    {
        var random = new Philox(seed, stream);
        return [.. Enumerable.Range(0, 9).Select(_ => random.NextUInt32())];
    }
}

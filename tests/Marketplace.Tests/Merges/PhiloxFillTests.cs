using CsCheck;
using Marketplace.Core.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

public sealed class PhiloxFillTests
{
    [Fact]
    public void A_word_is_the_same_wherever_the_filling_starts() => Gen.Select(Gen.Int[0, 500], Gen.Int[0, 70], Gen.ULong).Sample((first, count, seed) =>
    {
        var stream = new Philox(seed, "stream");
        for (var i = 0; i < first; i++)
            stream.NextUInt32();
        var words = new uint[count];
        Philox.Fill(seed, "stream", first, words);
        Assert.Equal([.. Enumerable.Range(0, count).Select(_ => stream.NextUInt32())], words);
    });

    [Fact]
    public void Long_runs_equal_short_ones_also_where_the_counter_outgrows_32_bits()
    {
        var start = (4L << 32) - 30; // four words a count
        var whole = new uint[70];
        Philox.Fill(7, "s", start, whole);
        var pieces = new uint[70];
        for (var i = 0; i < pieces.Length; i += 5)
            Philox.Fill(7, "s", start + i, pieces.AsSpan(i, 5));
        Assert.Equal(pieces, whole);
    }

    [Fact]
    public void Words_beyond_four_thousand_million_are_others()
    {
        var (near, far) = (new uint[4], new uint[4]);
        Philox.Fill(1, "s", 0, near);
        Philox.Fill(1, "s", 4L << 32, far);
        Assert.NotEqual(near, far);
    }
}

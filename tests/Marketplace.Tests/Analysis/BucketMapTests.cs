using CsCheck;
using Marketplace.Core.Algebra;
using Marketplace.Core.Analysis;
using Xunit;

namespace Marketplace.Tests.Analysis;

public sealed class BucketMapTests
{
    [Fact]
    public void Numbers_come_where_the_words_of_the_stream_say() => Gen.Select(Gen.Int[1, 300], Gen.Int[1, 70], Gen.Int[0, 999]).Sample((length, buckets, seed) =>
    {
        var random = new Random(seed);
        double[] numbers = [.. Enumerable.Range(0, length).Select(_ => random.Next(-9, 10))];
        var (map, stream) = (new BucketMap($"{seed}", length, buckets), $"{seed}");
        var (shifts, signs) = (new Philox(20261125, stream + " shifts"), new Philox(20261125, stream + " signs"));
        var (all, large, squares, shift, bits) = (new double[buckets], new double[buckets], 0d, 0, 0u);
        for (var i = 0; i < length; i++)
        {
            shift = i % buckets == 0 ? shifts.NextIndex(buckets) : shift;
            bits = i % 32 == 0 ? signs.NextUInt32() : bits;
            var (bucket, sign) = ((i + shift) % buckets, (bits >> (i % 32) & 1) == 0 ? 1 : -1);
            Assert.Equal((bucket, sign), (map.Bucket(i), (int)map.Sign(i)));
            all[bucket] += sign * numbers[i];
            if (Math.Abs(numbers[i]) > 3)
                (large[bucket], squares) = (large[bucket] + (sign * numbers[i]), squares + (numbers[i] * numbers[i]));
        }

        var (sums, written, kept) = (new double[buckets], new double[buckets], new double[buckets]);
        map.Add(numbers, sums);
        map.Add(numbers, map.Signs(), written);
        Assert.Equal(squares, map.AddLarge(numbers, 3, kept));
        Assert.Equal(all, sums);
        Assert.Equal(all, written);
        Assert.Equal(large, kept);
    });
}

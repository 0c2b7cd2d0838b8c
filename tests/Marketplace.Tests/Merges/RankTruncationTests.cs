using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Adapters at smaller ranks, without a service.</summary>
public sealed class RankTruncationTests
{
    [Fact]
    public void Every_rank_is_the_beginning_of_the_next() => Cases.Delta.Where(d => d.Rank > 1).Sample(delta =>
    {
        var inputs = Adapters.Of(("layers.0.q_proj", delta));
        LowRankDelta? smaller = null;
        for (var rank = 1; rank < delta.Rank; rank++)
        {
            var truncated = Reread(inputs, rank);
            Assert.Equal(rank, truncated.Rank); // padded with zeros where ΔW has fewer
            Dense.AssertClose(Dense.Truncate(Dense.Of(delta), rank), truncated, 1e-5);
            for (var k = 0; k < smaller?.Rank; k++)
            {
                Assert.Equal(smaller.A.Row(k).ToArray(), truncated.A.Row(k).ToArray());
                for (var i = 0; i < delta.Out; i++)
                    Assert.Equal(smaller.B[i, k], truncated.B[i, k]);
            }

            smaller = truncated;
        }
    });

    [Fact]
    public void Modules_of_unequal_ranks_get_one_rank_and_keep_what_fits()
    {
        var random = new Random(1);
        LowRankDelta q = Adapters.Random(random, 9, 8, 6), v = Adapters.Random(random, 9, 8, 2);
        var adapter = Adapters.Of(("layers.0.q_proj", q), ("layers.0.v_proj", v));
        Assert.True(RankTruncation.TryCreate(adapter, 3, TensorType.F32, out var truncation, out _));
        Assert.Equal(3, truncation.Export.Report.Rank);
        Assert.Equal([3, 2], truncation.Report.Modules.Select(m => m.RankOut));
        Assert.Equal(0, truncation.Report.Modules[1].DiscardedEnergy, 1e-20);
        Assert.True(truncation.Report.Modules[0].DiscardedEnergy > 0);
    }

    [Fact]
    public void Zeros_stay_zeros()
    {
        var truncated = Reread(Adapters.Of(("layers.0.q_proj", new LowRankDelta(new Matrix(5, 4), Adapters.Random(new Random(1), 5, 6, 4).A))), 2);
        Assert.Equal(2, truncated.Rank);
        Assert.Equal(0, Deltas.Norm(truncated));
    }

    private static LowRankDelta Reread(Adapter adapter, int rank)
    {
        Assert.True(RankTruncation.TryCreate(adapter, rank, TensorType.F32, out var truncation, out var problems), string.Join('\n', problems));
        using var stream = new MemoryStream();
        truncation.Export.Write(stream);
        Assert.True(AdapterReader.TryRead(truncation.Export.Config.ToJson(), stream.ToArray(), out var reread, out var issues), string.Join('\n', issues));
        using (reread)
        {
            Assert.Empty(truncation.Export.Check(reread));
            return reread.Delta("layers.0.q_proj")!;
        }
    }
}

using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Merges;

namespace Marketplace.Kernels.Tests.Merges;

public class TruncateTests
{
    [Theory]
    [InlineData(90, 70, 12)] // decomposed whole
    [InlineData(640, 700, 20)] // iterated
    public void A_dense_matrix_is_truncated_as_by_the_reference(int rows, int columns, int rank)
    {
        var random = new Random(rows);
        var dense = new Matrix(rows, columns);
        for (var i = 0; i < dense.Values.Length; i++)
            dense.Values[i] = (random.NextDouble() - 0.5) * (1 + (i % 7));
        var expected = ReferenceKernels.Instance.Truncate(dense, new RankPolicy(rank), "x", TestContext.Current.CancellationToken);
        var actual = new TorchKernels(KernelDevice.Cpu).Truncate(dense, new RankPolicy(rank), "x", TestContext.Current.CancellationToken);
        Assert.Equal(rank, actual.Delta.Rank);
        Assert.Equal(expected.Norm, actual.Norm, 1e-6 * expected.Norm);
        Assert.Equal(expected.DiscardedNorm, actual.DiscardedNorm, 1e-4 * expected.Norm);
        for (var i = 0; i < rank; i++)
            Assert.Equal(expected.S[i], actual.S[i], 5e-3 * expected.S[i]);
    }
}

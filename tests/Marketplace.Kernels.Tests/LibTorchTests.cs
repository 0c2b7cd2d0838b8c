using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests;

public class LibTorchTests
{
    [Fact]
    public void LibTorch_loads_and_computes_a_singular_value_decomposition()
    {
        using var scope = NewDisposeScope();
        var matrix = tensor(new double[,] { { 3, 0, 0 }, { 0, 0, -5 } });
        var (u, s, vt) = linalg.svd(matrix, fullMatrices: false);
        Assert.Equal([5.0, 3.0], s.data<double>().ToArray());
        Assert.True(u.matmul(s.diag()).matmul(vt).allclose(matrix));
    }
}

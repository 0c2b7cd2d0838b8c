using System.Numerics.Tensors;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Marketplace.Kernels.Merges;

/// <summary>The linear algebra of merge methods by libtorch, in the device's precision, each call on one thread.</summary>
public sealed class TorchKernels(KernelDevice device) : IMergeKernels
{
    /// <inheritdoc/>
    public Matrix Times(Matrix a, Matrix b) => Product(a, b, (x, y) => x.matmul(y));

    /// <inheritdoc/>
    public Matrix TimesTransposed(Matrix a, Matrix b) => Product(a, b, (x, y) => x.matmul(y.mT));

    /// <inheritdoc/>
    public Matrix TransposedTimes(Matrix a, Matrix b) => Product(a, b, (x, y) => x.mT.matmul(y));

    /// <inheritdoc/>
    public (Matrix Q, Matrix R) Qr(Matrix a)
    {
        using var scope = Scope();
        var (q, r) = linalg.qr(device.Upload(a));
        var signs = r.diagonal().sign().Plus(r.diagonal().eq(Scalars.Of(0)).to(r.dtype)); // (k), zeros count as positive
        return (KernelDevice.Download(q * signs), KernelDevice.Download(r * signs.unsqueeze(1)));
    }

    /// <inheritdoc/>
    public (Matrix Ut, double[] S, Matrix Vt) Svd(Matrix a)
    {
        using var scope = Scope();
        var x = device.Upload(a);
        if (!x.isfinite().all().Only<bool>())
            throw new NotFiniteNumberException("The singular values of a matrix that is not finite are undefined.");
        var (u, s, vt) = linalg.svd(x, fullMatrices: false);
        var signs = Signs(vt);
        return (KernelDevice.Download(u.mT * signs), KernelDevice.DownloadVector(s), KernelDevice.Download(vt * signs));
    }

    /// <inheritdoc/>
    public (double[] Values, Matrix Vectors) SymmetricEigen(Matrix a)
    {
        using var scope = Scope();
        var x = device.Upload(a);
        if (!x.isfinite().all().Only<bool>())
            throw new NotFiniteNumberException("The eigenvalues of a matrix that is not finite are undefined.");
        var (values, vectors) = linalg.eigh(x.Plus(x.mT).mul_(Scalars.Of(0.5)));
        var rows = vectors.mT;
        return (KernelDevice.DownloadVector(values), KernelDevice.Download(rows * Signs(rows)));
    }

    /// <inheritdoc/>
    public Matrix Gram(IReadOnlyList<LowRankDelta> deltas)
    {
        using var scope = Scope();
        var b = cat([.. deltas.Select(d => device.Upload(d.B))], 1); // (out, R), R = Σ r
        var a = cat([.. deltas.Select(d => device.Upload(d.A))], 0); // (R, in)
        var products = KernelDevice.Download(b.mT.matmul(b) * a.matmul(a.mT)); // (R, R): one block for each pair, to be added up
        var starts = new int[deltas.Count + 1];
        for (var i = 0; i < deltas.Count; i++)
            starts[i + 1] = starts[i] + deltas[i].Rank;
        var gram = new Matrix(deltas.Count, deltas.Count);
        for (var i = 0; i < deltas.Count; i++)
            for (var j = 0; j <= i; j++)
            {
                for (var row = starts[i]; row < starts[i + 1]; row++)
                    gram[i, j] += TensorPrimitives.Sum<double>(products.Row(row)[starts[j]..starts[j + 1]]);
                gram[j, i] = gram[i, j];
            }

        return gram;
    }

    /// <inheritdoc/>
    public Recompression Recompress(LowRankDelta delta, RankPolicy? policy) => TorchRecompression.Of(delta, policy, device);

    /// <inheritdoc/>
    public void CountMagnitudes(LowRankDelta delta, int? upper, long[] counts)
    {
        using var scope = Scope();
        var tiles = new DeltaTiles(delta, device); // the same bits as when entries are compared with the threshold
        for (var tile = 0; tile < tiles.Count; tile++)
        {
            using var each = NewDisposeScope();
            MergePrepass.Count(tiles.Tile(tile).cpu().data<float>().ToArray(), upper, counts);
        }
    }

    /// <inheritdoc/>
    public Recompression Elementwise(ElementwiseMerge merge, IReadOnlyList<ElementwiseInput> inputs, RankPolicy policy, CancellationToken cancellation)
    {
        using var scope = Scope();
        var merged = TiledElementwise.Merge(merge, inputs, device, cancellation);
        var noise = SubspaceIteration.Precision * inputs.Max(i => Norm(i.Delta.B) * Norm(i.Delta.A));
        return SubspaceIteration.Of(merged, policy, device, inputs[0].Stream, noise, cancellation);
    }

    /// <inheritdoc/>
    public Recompression Truncate(Matrix dense, RankPolicy policy, string stream, CancellationToken cancellation)
    {
        using var scope = Scope();
        return SubspaceIteration.Of(device.UploadSingle(dense), policy, device, stream, noise: 0, cancellation);
    }

    private Matrix Product(Matrix a, Matrix b, Func<Tensor, Tensor, Tensor> product)
    {
        using var scope = Scope();
        return KernelDevice.Download(product(device.Upload(a), device.Upload(b)));
    }

    // +1 or −1 for each row, so that its entry of largest magnitude becomes positive.
    internal static Tensor Signs(Tensor rows) // (q, n) → (q, 1)
    {
        var largest = rows.gather(1, rows.abs().argmax(1, keepdim: true));
        return largest.sign().Plus(largest.eq(Scalars.Of(0)).to(rows.dtype));
    }

    private static double Norm(Matrix a) => TensorPrimitives.Norm<double>(a.Values);

    private static DisposeScope Scope()
    {
        KernelDevice.UseOneThread();
        return NewDisposeScope();
    }
}

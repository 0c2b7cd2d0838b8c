using Marketplace.Core.Merges;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Merges;

/// <summary>How the sparsified tiles of all inputs become one tile of the result, in float32: the formulas of the core's element-wise reference.</summary>
/// <param name="merge">What is done.</param>
/// <param name="inputs">The sparsified inputs.</param>
/// <param name="weights">One for each of them.</param>
internal sealed class TileCombination(ElementwiseMerge merge, IReadOnlyList<SparseTiles> inputs, double[] weights)
{
    // What SCE and RAM+ have to know of all entries before they can combine any.
    private readonly double[] omega = new double[inputs.Count];
    private readonly double[] raise = [.. Enumerable.Repeat(1d, inputs.Count)];
    private Cut selected = Cut.Everything;

    /// <summary>Looks at all tiles where the combination depends on more than one entry of each input.</summary>
    /// <param name="shape">Tiles of the same shape as the inputs'.</param>
    /// <param name="cancellation">Looked at between tiles.</param>
    public void Prepare(DeltaTiles shape, CancellationToken cancellation)
    {
        if (merge.Combination == Combination.Sce)
        {
            if (merge.SelectTopK < 1)
                selected = Select(shape, cancellation);
            MeasureEnergy(shape, cancellation);
        }
        else if (merge.Combination == Combination.Ram && merge.RaiseBy != 0)
        {
            MeasureOverlap(shape, cancellation);
        }
    }

    /// <summary>One tile of the result.</summary>
    /// <param name="tile">Its number.</param>
    /// <param name="firstIndex">Index of its first entry.</param>
    public Tensor Tile(int tile, long firstIndex)
    {
        using var scope = NewDisposeScope();
        var x = Inputs(tile, firstIndex);
        var result = merge.Combination switch
        {
            Combination.Sum => Sum(x),
            Combination.Ties => Ties(x),
            Combination.Sce => Sce(x),
            _ => Ram(x),
        };
        if (merge.Lambda != 1)
            result = result.mul_(Scalars.Of(merge.Lambda));
        return result.MoveToOuterDisposeScope();
    }

    private Tensor[] Inputs(int tile, long firstIndex)
    {
        Tensor[] x = [.. inputs.Select(i => i.Tile(tile))];
        if (merge.Combination != Combination.Sce || selected == Cut.Everything)
            return x;
        var kept = selected.Largest(Variance(x), firstIndex).sign_();
        return Array.ConvertAll(x, e => e * kept);
    }

    private Tensor Sum(Tensor[] x)
    {
        var sum = merge.Normalize ? weights.Sum() : 1;
        var result = zeros_like(x[0]);
        for (var e = 0; e < x.Length; e++)
            result.Accumulate(x[e], weights[e] / (sum == 0 ? 1 : sum));
        return result;
    }

    private Tensor Ties(Tensor[] x)
    {
        var votes = zeros_like(x[0]);
        for (var e = 0; e < x.Length; e++)
        {
            using var scope = NewDisposeScope();
            if (merge.ElectByCount)
                votes.Accumulate(x[e].sign(), merge.ElectWeighted ? Math.Sign(weights[e]) : 1);
            else
                votes.Accumulate(x[e], merge.ElectWeighted ? weights[e] : 1);
        }

        // Adding +0 turns −0 into +0, whose sign counts as positive.
        var elected = merge.DrawIsPositive ? copysign(ones_like(votes), votes.Accumulate(zeros_like(votes))) : votes.sign();
        var (sum, divisor) = (zeros_like(votes), zeros_like(votes));
        for (var e = 0; e < x.Length; e++)
        {
            using var scope = NewDisposeScope();
            var vote = x[e].sign();
            if (merge.ElectWeighted && weights[e] < 0)
                vote.neg_();
            else if (merge.ElectWeighted && weights[e] == 0)
                vote.zero_();
            var agrees = vote.mul_(elected).relu_(); // 1 where the own sign is the elected one
            sum.addcmul_(x[e], agrees, Scalars.Of(weights[e]));
            divisor.Accumulate(agrees, merge.Divisor == TiesDivisor.Weights ? weights[e] : 1);
        }

        return merge.Divisor == TiesDivisor.None ? sum : sum.div_(divisor.Accumulate(divisor.eq(Scalars.Of(0)).to(float32)));
    }

    private Tensor Sce(Tensor[] x)
    {
        var votes = zeros_like(x[0]);
        foreach (var e in x)
            votes.Accumulate(e);
        var elected = copysign(ones_like(votes), votes.Accumulate(zeros_like(votes)));
        var (sum, divisor) = (zeros_like(votes), zeros_like(votes));
        for (var e = 0; e < x.Length; e++)
        {
            using var scope = NewDisposeScope();
            var agrees = x[e].sign().mul_(elected).relu_();
            sum.addcmul_(x[e], agrees, Scalars.Of(omega[e]));
            divisor.Accumulate(agrees, omega[e]);
        }

        return sum.div_(divisor.clamp_min_(Scalars.Of(ElementwiseMerge.SmallestSceDivisor)));
    }

    private Tensor Ram(Tensor[] x)
    {
        var (changed, count) = Changed(x);
        var result = zeros_like(count);
        var unique = merge.RaiseBy != 0 ? count.eq(Scalars.Of(1)).to(float32) : null;
        for (var e = 0; e < x.Length; e++)
        {
            using var scope = NewDisposeScope();
            result.Accumulate(changed[e]);
            if (unique is not null)
                result.addcmul_(changed[e], unique, Scalars.Of(raise[e] - 1));
        }

        return result.div_(count.clamp_min_(Scalars.Of(1)));
    }

    // What each input changes, zero elsewhere; and how many inputs change an entry.
    private (Tensor[] Changed, Tensor Count) Changed(Tensor[] x)
    {
        Tensor[] changed = [.. x.Select(e => nn.functional.hardshrink(e, merge.ChangedAbove))];
        var count = zeros_like(x[0]);
        foreach (var c in changed)
        {
            using var scope = NewDisposeScope();
            count.Accumulate(c.sign().abs_());
        }

        return (changed, count);
    }

    // Of the entries that vary, the share of largest variance; all where none varies.
    private Cut Select(DeltaTiles shape, CancellationToken cancellation)
    {
        var varying = 0L;
        var largest = new List<float>();
        for (var tile = 0; tile < shape.Count; tile++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var variance = Variances(tile);
            varying += variance.gt(Scalars.Of(0)).sum().Only<long>();
            largest.AddRange(variance.reshape(-1).slice(0, 0, variance.numel(), Math.Max(1, (long)shape.Rows * shape.Columns >> 18)).cpu().data<float>().ToArray());
        }

        if (varying == 0)
            return Cut.Everything;
        float[] sample = [.. largest.Order()];
        return new Selection(Variances, shape.Count, shape.FirstIndex, (long)shape.Rows * shape.Columns, cancellation)
            .Find(SparseTiles.Count(merge.SelectTopK, varying), sample);
    }

    private Tensor Variances(int tile)
    {
        using var scope = NewDisposeScope();
        return Variance([.. inputs.Select(i => i.Tile(tile))]).MoveToOuterDisposeScope();
    }

    // Over the inputs, for each entry; of the differences to the first input, so that it is exactly zero for copies.
    private static Tensor Variance(Tensor[] x)
    {
        using var scope = NewDisposeScope();
        Tensor[] differences = [.. x.Select(e => e.Minus(x[0]))];
        var mean = zeros_like(x[0]);
        foreach (var d in differences)
            mean.Accumulate(d, 1d / x.Length);
        var variance = zeros_like(x[0]);
        foreach (var d in differences)
            variance.Accumulate(Squared(d.Minus(mean)), 1d / x.Length);
        return variance.MoveToOuterDisposeScope();
    }

    private static Tensor Squared(Tensor x) => x * x;

    private void MeasureEnergy(DeltaTiles shape, CancellationToken cancellation)
    {
        for (var tile = 0; tile < shape.Count; tile++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var x = Inputs(tile, shape.FirstIndex(tile));
            for (var e = 0; e < x.Length; e++)
                omega[e] += Squared(x[e]).sum(float64).Only<double>();
        }

        var total = omega.Sum();
        for (var e = 0; e < omega.Length; e++)
            omega[e] /= total == 0 ? 1 : total;
    }

    private void MeasureOverlap(DeltaTiles shape, CancellationToken cancellation)
    {
        var (unique, shared) = (new double[raise.Length], new double[raise.Length]);
        for (var tile = 0; tile < shape.Count; tile++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var (changed, count) = Changed([.. inputs.Select(i => i.Tile(tile))]);
            var alone = count.eq(Scalars.Of(1)).to(float32);
            for (var e = 0; e < raise.Length; e++)
            {
                var own = changed[e].sign().abs_();
                var single = (own * alone).sum(float64).Only<double>();
                unique[e] += single;
                shared[e] += own.sum(float64).Only<double>() - single;
            }
        }

        for (var e = 0; e < raise.Length; e++)
            raise[e] = 1 + (merge.RaiseBy * Math.Min(merge.RaiseUpTo, shared[e] / Math.Max(unique[e], 1)));
    }
}

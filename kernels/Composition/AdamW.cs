using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Composition;

/// <summary>
/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) with β = (0.9, 0.999) and ε = 1e-8, as libtorch computes it. TorchSharp's own passes numbers that may be freed while they are read
/// (ADR 14); this one passes them through <see cref="Scalars"/>.
/// </summary>
internal sealed class AdamW : IDisposable
{
    private const double First = 0.9;
    private const double Second = 0.999;
    private const double Epsilon = 1e-8;

    private readonly (Tensor Value, Tensor Mean, Tensor Square)[] states;
    private readonly double decay;
    private int steps;

    /// <param name="values">What is learned; the caller's to dispose.</param>
    /// <param name="decay">Each step shrinks values by so much times the learning rate.</param>
    public AdamW(IEnumerable<Tensor> values, double decay)
    {
        this.decay = decay;
        using var frozen = no_grad();
        states = [.. values.Select(v => (v, zeros_like(v).DetachFromDisposeScope(), zeros_like(v).DetachFromDisposeScope()))];
    }

    /// <summary>Takes a step.</summary>
    /// <param name="gradients">One for each value; they are changed where they are clipped.</param>
    /// <param name="rate">Learning rate.</param>
    /// <param name="clip">Largest norm of all gradients together; 0 for none.</param>
    public void Step(IReadOnlyList<Tensor> gradients, double rate, double clip = 0)
    {
        using var frozen = no_grad();
        using var scope = NewDisposeScope();
        steps++;
        var norm = clip > 0 ? Math.Sqrt(gradients.Sum(g => g.mul(g).sum(ScalarType.Float64).Only<double>())) : 0;
        foreach (var ((value, mean, square), gradient) in states.Zip(gradients))
        {
            if (norm > clip)
                gradient.mul_(Scalars.Of(clip / norm));
            mean.mul_(Scalars.Of(First)).Accumulate(gradient, 1 - First);
            square.mul_(Scalars.Of(Second)).addcmul_(gradient, gradient, Scalars.Of(1 - Second));
            var size = square.sqrt().div_(Scalars.Of(Math.Sqrt(1 - Math.Pow(Second, steps)))).add_(Scalars.Of(Epsilon), Scalars.Of(1));
            value.mul_(Scalars.Of(1 - (rate * decay))).addcdiv_(mean, size, Scalars.Of(-rate / (1 - Math.Pow(First, steps))));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, mean, square) in states)
        {
            mean.Dispose();
            square.Dispose();
        }
    }
}

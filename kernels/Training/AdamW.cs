using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Training;

/// <summary>
/// AdamW (arXiv 1711.05101) with the norm of the whole gradient clipped: g ← g·min(1, c ∕ |g|), m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − η·(m̂ ∕ (√v̂ + ε) + λθ). The decay λ
/// shrinks matrices only, not norms and biases.
/// </summary>
public sealed class AdamW : IDisposable
{
    private const double Beta1 = 0.9;
    private const double Beta2 = 0.98;
    private const double Epsilon = 1e-8;

    private readonly IReadOnlyList<Tensor> parameters;
    private readonly double clip;
    private readonly double decay;
    private readonly Tensor first;
    private readonly Tensor second;
    private int steps;

    /// <summary>Begins with parameters, which it changes in place.</summary>
    /// <param name="parameters">Leaves that ask for gradients.</param>
    /// <param name="clip">c, the largest norm of a gradient.</param>
    /// <param name="decay">λ.</param>
    public AdamW(IReadOnlyList<Tensor> parameters, double clip = 1, double decay = 0)
    {
        (this.parameters, this.clip, this.decay) = (parameters, clip, decay);
        using var scope = NewDisposeScope();
        var count = parameters.Sum(p => p.numel());
        first = zeros(count, device: parameters[0].device).DetachFromDisposeScope();
        second = zeros_like(first).DetachFromDisposeScope();
    }

    /// <summary>One step down the gradient of a loss. All moments lie in one vector, so that a model of many small parameters takes few operations.</summary>
    /// <param name="loss">The loss, computed from the parameters as they are.</param>
    /// <param name="rate">η.</param>
    public void Step(Tensor loss, double rate)
    {
        using var scope = NewDisposeScope();
        var gradients = autograd.grad([loss], [.. parameters]);
        using var frozen = no_grad();
        var gradient = cat([.. gradients.Select(g => g.reshape(-1))]);
        var norm = gradient.norm().Only<float>();
        if (norm > clip)
            gradient = gradient.mul(Scalars.Of(clip / norm));
        steps++;
        first.mul_(Scalars.Of(Beta1)).Accumulate(gradient, 1 - Beta1);
        second.mul_(Scalars.Of(Beta2)).Accumulate(gradient.mul(gradient), 1 - Beta2);
        var spread = second.div(Scalars.Of(1 - Math.Pow(Beta2, steps))).sqrt_().add_(Scalars.Of(Epsilon), Scalars.Of(1));
        var change = first.div(spread).mul_(Scalars.Of(-rate / (1 - Math.Pow(Beta1, steps))));
        var start = 0L;
        foreach (var parameter in parameters)
        {
            if (decay > 0 && parameter.dim() > 1)
                parameter.mul_(Scalars.Of(1 - (rate * decay)));
            parameter.Accumulate(change.narrow(0, start, parameter.numel()).view(parameter.shape));
            start += parameter.numel();
        }
    }

    /// <summary>η of a step: it rises from 0 to its peak, then falls to 0 along half a cosine.</summary>
    /// <param name="step">The step, from 0.</param>
    /// <param name="steps">How many there will be.</param>
    /// <param name="warmUp">How many of them it rises.</param>
    /// <param name="peak">The highest rate.</param>
    public static double Rate(int step, int steps, int warmUp, double peak) =>
        step < warmUp ? peak * (step + 1) / warmUp : peak * (1 + Math.Cos(Math.PI * (step - warmUp) / Math.Max(1, steps - warmUp))) / 2;

    /// <inheritdoc/>
    public void Dispose()
    {
        first.Dispose();
        second.Dispose();
    }
}

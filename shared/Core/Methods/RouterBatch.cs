using System.Numerics.Tensors;

namespace Marketplace.Core.Methods;

/// <summary>Which adapters take each of T tokens at one module, and by how much.</summary>
/// <param name="Tokens">T.</param>
/// <param name="Width">Places per token: top-k, or fewer where fewer experts take part.</param>
/// <param name="Indices">Shape (T, width): experts, the largest logit first.</param>
/// <param name="Coefficients">Shape (T, width): what they take part with; each row sums to 1.</param>
/// <param name="Experts">K.</param>
public sealed record RoutedTokens(int Tokens, int Width, int[] Indices, double[] Coefficients, int Experts)
{
    /// <summary>The mean coefficient of each expert over all tokens, shape (K); zeros where there are no tokens or nobody takes part.</summary>
    public double[] Mean()
    {
        var mean = new double[Experts];
        for (var i = 0; i < Indices.Length; i++)
            mean[Indices[i]] += Coefficients[i];
        if (Tokens > 0)
            TensorPrimitives.Divide(mean, Tokens, mean);
        return mean;
    }

    /// <summary>One token's coefficients with zeros for the others, shape (K).</summary>
    public double[] Row(int token)
    {
        var row = new double[Experts];
        for (var i = token * Width; i < (token + 1) * Width; i++)
            row[Indices[i]] = Coefficients[i];
        return row;
    }
}

/// <summary>
/// Arrow routing of many tokens: one product (T, in)·(in, K), absolute values, the top k by logit (the lower index among equals), and a softmax over them.
/// Everything in float64; tokens side by side, with the same result however many threads there are. What <see cref="Router.Weights"/> computes token by token.
/// </summary>
public static class RouterBatch
{
    /// <summary>The largest magnitude that an entry of a token or a logit may have: that of float32, so that no product overflows.</summary>
    public const double Largest = float.MaxValue;

    /// <summary>Routes tokens at a module.</summary>
    /// <param name="router">The router.</param>
    /// <param name="module">One of its modules.</param>
    /// <param name="tokens">Hidden states, shape (T, in).</param>
    /// <param name="topK">In place of the router's own.</param>
    /// <param name="temperature">In place of the router's own; positive.</param>
    /// <exception cref="ArgumentException">The tokens have another size than the module's inputs.</exception>
    /// <exception cref="NotFiniteNumberException">An entry is NaN, infinite, or beyond float32.</exception>
    public static RoutedTokens Route(RouterModel router, RouterModule module, Matrix tokens, int? topK = null, double? temperature = null)
    {
        if (tokens.Columns != module.In)
            throw new ArgumentException($"Tokens of size {tokens.Columns} do not fit '{module.Tensor}', which takes {module.In}.", nameof(tokens));
        CheckFinite(tokens);
        var logits = RouterLogits.Of(tokens, router.Prototypes(module), router.Description.Experts.Length);
        if (router.Description.UnitInputs)
            DivideByNorms(logits, tokens);
        return Choose(router, module, logits, topK, temperature);
    }

    /// <summary>Routes tokens whose products with the prototypes are known; signs do not matter.</summary>
    /// <param name="router">The router.</param>
    /// <param name="module">One of its modules.</param>
    /// <param name="logits">⟨x, vₑ⟩, shape (T, K).</param>
    /// <param name="topK">In place of the router's own.</param>
    /// <param name="temperature">In place of the router's own; positive.</param>
    /// <exception cref="ArgumentException">There is not one logit for each expert.</exception>
    /// <exception cref="NotFiniteNumberException">An entry is NaN, infinite, or beyond float32.</exception>
    public static RoutedTokens RouteLogits(RouterModel router, RouterModule module, Matrix logits, int? topK = null, double? temperature = null)
    {
        if (logits.Columns != router.Description.Experts.Length)
            throw new ArgumentException($"{logits.Columns} logits do not fit {router.Description.Experts.Length} experts.", nameof(logits));
        CheckFinite(logits);
        return Choose(router, module, logits, topK, temperature);
    }

    /// <summary>Index of the first entry that can't be routed; −1 if all can.</summary>
    public static int FirstUnusable(ReadOnlySpan<double> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            if (!(Math.Abs(values[i]) <= Largest))
                return i;
        }

        return -1;
    }

    private static void CheckFinite(Matrix values)
    {
        if (FirstUnusable(values.Values) is >= 0 and var at)
            throw new NotFiniteNumberException($"Entry {at % values.Columns} of token {at / values.Columns} is not finite.", values.Values[at]);
    }

    private static RoutedTokens Choose(RouterModel router, RouterModule module, Matrix logits, int? topK, double? temperature)
    {
        var (k, t) = (topK ?? router.Description.TopK, temperature ?? router.Description.Temperature);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1, nameof(topK));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(t, nameof(temperature));
        int[] taking = [.. Enumerable.Range(0, logits.Columns).Where(module.Routes)];
        var width = Math.Min(k, taking.Length);
        var (indices, coefficients) = (new int[logits.Rows * width], new double[logits.Rows * width]);
        if (width > 0)
        {
            Parallel.For(0, logits.Rows, i =>
                ChooseOne(logits.Row(i), taking, indices.AsSpan(i * width, width), coefficients.AsSpan(i * width, width), t));
        }

        return new(logits.Rows, width, indices, coefficients, logits.Columns);
    }

    // Insertion into a short sorted list: an equal one goes behind, so that the lower index stays in front.
    private static void ChooseOne(ReadOnlySpan<double> logits, int[] taking, Span<int> indices, Span<double> best, double temperature)
    {
        var count = 0;
        foreach (var e in taking)
        {
            var logit = Math.Abs(logits[e]);
            if (count == best.Length && !(logit > best[^1]))
                continue;
            var place = count < best.Length ? count++ : count - 1;
            for (; place > 0 && logit > best[place - 1]; place--)
                (best[place], indices[place]) = (best[place - 1], indices[place - 1]);
            (best[place], indices[place]) = (logit, e);
        }

        var largest = best[0];
        var sum = 0d;
        foreach (ref var x in best)
            sum += x = Math.Exp((x - largest) / temperature);
        foreach (ref var x in best)
            x /= sum;
    }

    private static void DivideByNorms(Matrix logits, Matrix tokens)
    {
        for (var i = 0; i < tokens.Rows; i++)
        {
            var norm = TensorPrimitives.Norm<double>(tokens.Row(i));
            if (norm > 0)
                TensorPrimitives.Divide(logits.Row(i), norm, logits.Row(i));
        }
    }
}

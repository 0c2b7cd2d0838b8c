namespace Marketplace.Kernels.Models;

/// <summary>How far rotary embeddings stretch low frequencies, as Llama 3 does.</summary>
/// <param name="Factor">Divides the frequencies of waves longer than <paramref name="OriginalPositions"/> ∕ <paramref name="LowFrequencyFactor"/>.</param>
/// <param name="LowFrequencyFactor">Where stretching is whole.</param>
/// <param name="HighFrequencyFactor">Where it has ended.</param>
/// <param name="OriginalPositions">The context that the model was first trained on.</param>
public sealed record RotaryStretch(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalPositions);

/// <summary>
/// Rotary position embeddings: pair i of a head's first <paramref name="Dimensions"/> numbers turns by the angle p·fᵢ at position p, fᵢ = θ^(−2i ∕ d). The pair is (i, i + d∕2).
/// </summary>
/// <param name="Theta">θ.</param>
/// <param name="Dimensions">d, even; the rest of a head is not turned.</param>
/// <param name="Divisor">Divides every frequency (linear scaling); 1 for none.</param>
/// <param name="Stretch">Scaling by wavelength; null for none.</param>
public sealed record RotaryConfig(double Theta, int Dimensions, double Divisor = 1, RotaryStretch? Stretch = null)
{
    /// <summary>The frequencies fᵢ, d ∕ 2 of them, in single precision as the models were trained with.</summary>
    public float[] Frequencies()
    {
        var frequencies = new float[Dimensions / 2];
        for (var i = 0; i < frequencies.Length; i++)
        {
            var frequency = 1f / MathF.Pow((float)Theta, 2f * i / Dimensions);
            frequencies[i] = (float)(Stretched(frequency) / Divisor);
        }

        return frequencies;
    }

    private double Stretched(float frequency)
    {
        if (Stretch is null)
            return frequency;
        var (waves, low, high) = (Stretch.OriginalPositions * frequency / (2 * Math.PI), Stretch.LowFrequencyFactor, Stretch.HighFrequencyFactor);
        var kept = Math.Clamp((waves - low) / (high - low), 0, 1); // 0 where the wave is long: stretched wholly
        return ((1 - kept) * frequency / Stretch.Factor) + (kept * frequency);
    }
}

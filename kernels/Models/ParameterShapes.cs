namespace Marketplace.Kernels.Models;

/// <summary>A parameter as the configuration says it must be.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Its shape, as stored.</param>
/// <param name="Optional">Whether a model may lack it.</param>
internal sealed record ParameterShape(string Name, long[] Shape, bool Optional = false);

/// <summary>The parameters of a decoder.</summary>
internal static class ParameterShapes
{
    /// <summary>All of them, in the order of the pass.</summary>
    public static IEnumerable<ParameterShape> Of(ModelConfig config, DecoderLayout layout)
    {
        var hidden = config.HiddenSize;
        yield return new(layout.Embedding + ".weight", [config.VocabularySize, hidden]);
        if (layout.Positions is { } positions)
            yield return new(positions + ".weight", [config.MaxPositions, hidden]);
        for (var i = 0; i < config.Layers.Length; i++)
            foreach (var parameter in Layer(config, layout))
                yield return parameter with { Name = $"{layout.Layers}.{i}.{parameter.Name}" };
        foreach (var parameter in Norm(layout, layout.FinalNorm, hidden))
            yield return parameter;
        if (!config.TiesEmbeddings)
        {
            yield return new(layout.Head + ".weight", [config.VocabularySize, hidden]);
            yield return new(layout.Head + ".bias", [config.VocabularySize], Optional: true);
        }
    }

    private static IEnumerable<ParameterShape> Layer(ModelConfig config, DecoderLayout layout)
    {
        var (hidden, inner) = (config.HiddenSize, config.IntermediateSize);
        var (queries, others) = (config.Heads * config.HeadSize, config.KeyValueHeads * config.HeadSize);
        IEnumerable<(string, int, int)> layers =
        [
            .. layout.Packed is { } packed
                ? new[] { (packed, queries + (2 * others), hidden) }
                : [(layout.Attention.Query, queries, hidden), (layout.Attention.Key, others, hidden), (layout.Attention.Value, others, hidden)],
            (layout.Output, hidden, queries),
            .. layout.Gate is { } gate ? new[] { (gate, inner, hidden) } : [],
            (layout.Up, layout.UpHoldsGate ? 2 * inner : inner, hidden),
            (layout.Down, hidden, inner),
        ];
        foreach (var (name, rows, columns) in layers)
        {
            yield return new(name + ".weight", config.ModelType == "gpt2" ? [columns, rows] : [rows, columns]);
            yield return new(name + ".bias", [rows], Optional: true);
        }

        foreach (var norm in new[] { layout.AttentionNorm, layout.AttentionOutputNorm, layout.FeedForwardNorm, layout.FeedForwardOutputNorm }.OfType<string>())
            foreach (var parameter in Norm(layout, norm, hidden))
                yield return parameter;
        yield return new(layout.HeadNorms.Query + ".weight", [config.HeadSize], Optional: true);
        yield return new(layout.HeadNorms.Key + ".weight", [config.HeadSize], Optional: true);
    }

    private static IEnumerable<ParameterShape> Norm(DecoderLayout layout, string name, int size)
    {
        yield return new(name + ".weight", [size]);
        if (layout.Norm == NormKind.Layer)
            yield return new(name + ".bias", [size]);
    }
}

namespace Marketplace.Core.Formats;

/// <summary>How ΔW, of shape (out, in), lies in the base model's own tensor.</summary>
public static class StoredWeight
{
    /// <summary>
    /// Whether the base model stores the module's weight as the transpose of ΔW: always for embeddings; for linear layers as the
    /// stored shape tells, and where it is square, as the configuration says. (PEFT, too, corrects a flag that contradicts the layer.)
    /// </summary>
    public static bool IsTransposed(TargetModule module, AdapterConfig config, ReadOnlySpan<long> storedShape) => module.Kind switch
    {
        ModuleKind.Embedding => true,
        ModuleKind.Conv2d => false,
        _ when module.Out == module.In => config.FanInFanOut,
        _ => storedShape is [var first, var second] && first == module.In && second == module.Out,
    };
}

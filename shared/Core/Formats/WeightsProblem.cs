namespace Marketplace.Core.Formats;

/// <summary>Why a model's weights, or what should be read from them, can't be used.</summary>
/// <param name="Code">One of the constants of this type.</param>
/// <param name="Message">The same in words.</param>
/// <param name="Tensor">The tensor or module concerned.</param>
/// <param name="File">The file concerned, without its folder.</param>
public sealed record WeightsProblem(string Code, string Message, string? Tensor = null, string? File = null)
{
    /// <summary>The folder holds no <c>model.safetensors</c> and no <c>model.safetensors.index.json</c>.</summary>
    public const string NoWeights = "no-weights";

    /// <summary>The weights are a Python pickle, which can run code when it is read.</summary>
    public const string PickleRefused = "pickle-refused";

    /// <summary>config.json is no JSON object.</summary>
    public const string ConfigInvalid = "config-invalid";

    /// <summary>The index of shards is no JSON object with a <c>weight_map</c> from tensors to plain file names.</summary>
    public const string IndexInvalid = "index-invalid";

    /// <summary>The index names a shard that is not there.</summary>
    public const string ShardMissing = "shard-missing";

    /// <summary>A file of weights is no valid safetensors file.</summary>
    public const string ShardInvalid = "shard-invalid";

    /// <summary>A tensor is not where the index says, or a module has no weight in the model.</summary>
    public const string TensorMissing = "tensor-missing";

    /// <summary>A tensor's elements are none of F64, F32, F16 and BF16; quantised weights, for example.</summary>
    public const string TypeUnsupported = "type-unsupported";

    /// <summary>A tensor has another shape than its module or its counterpart.</summary>
    public const string ShapeMismatch = "shape-mismatch";

    /// <summary>config.json names an architecture that can't be computed.</summary>
    public const string ArchitectureUnknown = "architecture-unknown";

    /// <summary>config.json asks for something within a known architecture that is not computed.</summary>
    public const string ConfigUnsupported = "config-unsupported";

    /// <summary>An adapter has a module or a parameter that the model lacks, or that can't be applied as it is asked for.</summary>
    public const string AdapterUnfit = "adapter-unfit";
}

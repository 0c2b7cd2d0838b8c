using System.Collections.Immutable;
using Marketplace.Core.Formats;

namespace Marketplace.Core;

/// <summary>How the layer that a LoRA adapts stores its weight.</summary>
public enum ModuleKind
{
    /// <summary>A linear layer; also GPT-2's Conv1D, whose stored weight is the transpose (see <see cref="AdapterConfig.FanInFanOut"/>).</summary>
    Linear,

    /// <summary>An embedding table. A has shape (r, num_embeddings), B (dim, r); the table changes by the transpose of ΔW.</summary>
    Embedding,

    /// <summary>A two-dimensional convolution. A is flattened from (r, in, kh, kw) to (r, in·kh·kw), B from (out, r, 1, 1) to (out, r).</summary>
    Conv2d,
}

/// <summary>One adapted layer: its shape and scaling, without its factors.</summary>
/// <param name="Name">Full path of the layer in the base model, without the <c>base_model.model.</c> prefix.</param>
/// <param name="Kind">How the layer stores its weight.</param>
/// <param name="Out">Rows of ΔW.</param>
/// <param name="In">Columns of ΔW.</param>
/// <param name="Rank">r, the rows of A.</param>
/// <param name="Scaling">s = alpha ∕ r, or alpha ∕ √r under rsLoRA, with the patterns of the configuration resolved.</param>
/// <param name="Kernel">Kernel height and width of a convolution; null for other kinds.</param>
/// <param name="HasMagnitude">Whether a DoRA magnitude vector belongs to the module: then ΔW is not B·A alone.</param>
/// <param name="HasBias">Whether a <c>lora_B.bias</c> belongs to the module.</param>
public sealed record TargetModule(
    string Name, ModuleKind Kind, int Out, int In, int Rank, double Scaling,
    (int Height, int Width)? Kernel = null, bool HasMagnitude = false, bool HasBias = false);

/// <summary>
/// ΔW of one module in folded, factored form: ΔW = B·A with the scaling inside B.
/// </summary>
/// <param name="B">Shape (out, r), scaling included.</param>
/// <param name="A">Shape (r, in).</param>
public sealed record LowRankDelta(Matrix B, Matrix A)
{
    /// <summary>Rows of ΔW.</summary>
    public int Out => B.Rows;

    /// <summary>Columns of ΔW.</summary>
    public int In => A.Columns;

    /// <summary>r, the inner dimension (an upper bound of ΔW's rank).</summary>
    public int Rank => A.Rows;
}

/// <summary>Reads the folded factors of a module into memory of the caller.</summary>
/// <param name="module">Which.</param>
/// <param name="b">B with the scaling, out·r numbers.</param>
/// <param name="a">A, r·in numbers.</param>
public delegate void FactorReader(TargetModule module, Span<double> b, Span<double> a);

/// <summary>A tensor of an adapter's file that is no LoRA factor.</summary>
/// <param name="Shape">Its shape.</param>
/// <param name="Values">Its elements, row after row.</param>
public sealed record CarriedTensor(ImmutableArray<long> Shape, float[] Values);

/// <summary>
/// An adapter that passed validation: its configuration, its modules in ordinal order of their names, and their factors,
/// read one module at a time so that an adapter never has to be in memory whole.
/// </summary>
public sealed class Adapter : IDisposable
{
    private readonly ImmutableDictionary<string, TargetModule> byName;
    private readonly Func<TargetModule, LowRankDelta> read;
    private readonly Func<TargetModule, double[]>? readMagnitude;
    private readonly FactorReader? readInto;
    private readonly Func<string, CarriedTensor>? readCarried;
    private readonly IDisposable? owned;

    /// <summary>An adapter over any source of factors.</summary>
    /// <param name="config">The configuration it was saved with.</param>
    /// <param name="modules">Its modules, in any order.</param>
    /// <param name="read">Reads the folded factors of a module; may be called from several threads.</param>
    /// <param name="carried">Names of tensors that are not LoRA factors: saved modules, biases, magnitude vectors.</param>
    /// <param name="owned">What to dispose with the adapter, such as a mapped file.</param>
    /// <param name="readMagnitude">Reads the DoRA magnitude vector of a module that has one; may be called from several threads.</param>
    /// <param name="readInto">Reads what <paramref name="read"/> reads without allocating, where the source can; may be called from several threads.</param>
    /// <param name="readCarried">Reads a carried tensor, where the source can; may be called from several threads.</param>
    public Adapter(
        AdapterConfig config, IEnumerable<TargetModule> modules, Func<TargetModule, LowRankDelta> read,
        IEnumerable<string>? carried = null, IDisposable? owned = null, Func<TargetModule, double[]>? readMagnitude = null,
        FactorReader? readInto = null, Func<string, CarriedTensor>? readCarried = null)
    {
        Config = config;
        Modules = [.. modules.OrderBy(m => m.Name, StringComparer.Ordinal)];
        Carried = [.. (carried ?? []).Order(StringComparer.Ordinal)];
        byName = Modules.ToImmutableDictionary(m => m.Name, StringComparer.Ordinal);
        this.read = read;
        this.readMagnitude = readMagnitude;
        this.owned = owned;
        this.readInto = readInto;
        this.readCarried = readCarried;
    }

    /// <summary>The configuration it was saved with.</summary>
    public AdapterConfig Config { get; }

    /// <summary>The modules in ordinal order of their names.</summary>
    public ImmutableArray<TargetModule> Modules { get; }

    /// <summary>Tensors of the file that are no LoRA factors, in ordinal order: they can't be merged, and are never dropped in silence.</summary>
    public ImmutableArray<string> Carried { get; }

    /// <summary>The module of that name, or null.</summary>
    public TargetModule? Find(string module) => byName.GetValueOrDefault(module);

    /// <summary>Reads the folded factors of a module; null where the adapter does not touch it (ΔW = 0).</summary>
    public LowRankDelta? Delta(string module) => Find(module) is { } found ? read(found) : null;

    /// <summary>Reads the numbers of <see cref="Delta"/> into memory of the caller.</summary>
    /// <param name="module">One of <see cref="Modules"/>.</param>
    /// <param name="b">B with the scaling, out·r numbers.</param>
    /// <param name="a">A, r·in numbers.</param>
    public void ReadFactors(TargetModule module, Span<double> b, Span<double> a)
    {
        if (readInto is not null)
        {
            readInto(module, b, a);
            return;
        }

        var delta = read(module);
        delta.B.Values.CopyTo(b);
        delta.A.Values.CopyTo(a);
    }

    /// <summary>Reads a module's DoRA magnitudes m (out); null where it has none, or where the adapter's source does not give them.</summary>
    public double[]? Magnitude(string module) => Find(module) is { HasMagnitude: true } found ? readMagnitude?.Invoke(found) : null;

    /// <summary>Reads one of the <see cref="Carried"/> tensors, as stored: no scaling is applied. Null where the adapter's source does not give them.</summary>
    public CarriedTensor? ReadCarried(string tensor) => Carried.Contains(tensor) ? readCarried?.Invoke(tensor) : null;

    /// <inheritdoc/>
    public void Dispose() => owned?.Dispose();
}

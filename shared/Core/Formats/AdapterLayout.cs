using System.Collections.Immutable;

namespace Marketplace.Core.Formats;

/// <summary>The LoRA tensors of one module, as far as the file has them.</summary>
/// <param name="Name">Path of the module in the base model.</param>
/// <param name="IsEmbedding">Whether the factors are those of an embedding.</param>
/// <param name="A">Factor A.</param>
/// <param name="B">Factor B.</param>
/// <param name="FactorBias">Bias of factor B.</param>
/// <param name="Magnitude">DoRA's vector of row norms.</param>
public sealed record ModuleTensors(
    string Name, bool IsEmbedding, TensorInfo? A, TensorInfo? B, TensorInfo? FactorBias = null, TensorInfo? Magnitude = null);

/// <summary>Why a file carries a tensor that is no LoRA factor.</summary>
public enum CarriedAs
{
    /// <summary>Part of a module that <c>modules_to_save</c> names, or the base weight PEFT saves beside an adapted embedding.</summary>
    SavedModule,

    /// <summary>A trained bias, as <c>bias</c> says.</summary>
    Bias,

    /// <summary>A parameter that the configuration says nothing of.</summary>
    Undeclared,

    /// <summary>Trained rows of an embedding, as <c>trainable_token_indices</c> says.</summary>
    TokenRows,
}

/// <summary>
/// What each tensor of a weights file is, by its name and the configuration: LoRA tensors by module, parameters carried along, and
/// tensors that nothing explains.
/// </summary>
public sealed class AdapterLayout
{
    private AdapterLayout(ImmutableArray<ModuleTensors> modules, ImmutableArray<(TensorInfo, CarriedAs)> carried, ImmutableArray<TensorInfo> unknown) =>
        (Modules, Carried, Unknown) = (modules, carried, unknown);

    /// <summary>The modules with LoRA tensors, in ordinal order of their names.</summary>
    public ImmutableArray<ModuleTensors> Modules { get; }

    /// <summary>Parameters saved whole, in ordinal order of their names.</summary>
    public ImmutableArray<(TensorInfo Tensor, CarriedAs As)> Carried { get; }

    /// <summary>Tensors that are neither, in ordinal order of their names.</summary>
    public ImmutableArray<TensorInfo> Unknown { get; }

    /// <summary>Sorts the tensors of a file; without a configuration every parameter counts as undeclared.</summary>
    public static AdapterLayout Of(IEnumerable<TensorInfo> tensors, AdapterConfig? config)
    {
        var named = tensors.OrderBy(t => t.Name, StringComparer.Ordinal).Select(t => (Tensor: t, Name: TensorName.Parse(t.Name))).ToList();
        var unknown = ImmutableArray.CreateBuilder<TensorInfo>();
        var modules = ImmutableArray.CreateBuilder<ModuleTensors>();
        foreach (var module in named.Where(n => IsLora(n.Name.Part)).GroupBy(n => n.Name.Module, StringComparer.Ordinal))
            modules.Add(Module(module.Key, [.. module], unknown));
        modules.Sort((x, y) => string.CompareOrdinal(x.Name, y.Name));

        var embeddings = modules.Where(m => m.IsEmbedding).Select(m => m.Name).ToHashSet(StringComparer.Ordinal);
        var adapted = modules.Select(m => m.Name).ToHashSet(StringComparer.Ordinal);
        var carried = ImmutableArray.CreateBuilder<(TensorInfo, CarriedAs)>();
        foreach (var (tensor, name) in named.Where(n => !IsLora(n.Name.Part)))
        {
            if (name.Part == TensorPart.Parameter && Carry(tensor, name.Module) is { } parameter)
                carried.Add((tensor, parameter));
            else if (name.Part == TensorPart.TokenRows && config is { HasTrainedTokens: true })
                carried.Add((tensor, CarriedAs.TokenRows));
            else
                unknown.Add(tensor);
        }

        unknown.Sort((x, y) => string.CompareOrdinal(x.Name, y.Name));
        return new(modules.ToImmutable(), carried.ToImmutable(), unknown.ToImmutable());

        CarriedAs? Carry(TensorInfo tensor, string holder)
        {
            var parameter = tensor.Name[(tensor.Name.LastIndexOf('.') + 1)..];
            const string Base = ".base_layer";
            var module = holder.EndsWith(Base, StringComparison.Ordinal) ? holder[..^Base.Length] : holder;
            if (config is not null && IsSaved(holder, config.ModulesToSave))
                return CarriedAs.SavedModule;
            if (parameter == "weight" && holder != module && embeddings.Contains(module))
                return CarriedAs.SavedModule;
            if (parameter == "bias" && (config?.Bias == TrainedBias.All || (config?.Bias == TrainedBias.LoraOnly && adapted.Contains(module))))
                return CarriedAs.Bias;
            return parameter is "weight" or "bias" ? CarriedAs.Undeclared : null;
        }
    }

    private static bool IsLora(TensorPart part) =>
        part is TensorPart.A or TensorPart.B or TensorPart.EmbeddingA or TensorPart.EmbeddingB or TensorPart.FactorBias or TensorPart.Magnitude;

    private static ModuleTensors Module(
        string name, List<(TensorInfo Tensor, TensorName Name)> tensors, ImmutableArray<TensorInfo>.Builder unknown)
    {
        var isEmbedding = !tensors.Any(t => t.Name.Part is TensorPart.A or TensorPart.B)
            && tensors.Any(t => t.Name.Part is TensorPart.EmbeddingA or TensorPart.EmbeddingB);
        var (a, b) = isEmbedding ? (TensorPart.EmbeddingA, TensorPart.EmbeddingB) : (TensorPart.A, TensorPart.B);
        var parts = new Dictionary<TensorPart, TensorInfo>();
        foreach (var (tensor, tensorName) in tensors)
        {
            // Both kinds of factors on one module, or one vector under two spellings: the second has no meaning.
            var belongs = tensorName.Part == a || tensorName.Part == b || tensorName.Part is TensorPart.FactorBias or TensorPart.Magnitude;
            if (!belongs || !parts.TryAdd(tensorName.Part, tensor))
                unknown.Add(tensor);
        }

        return new(
            name, isEmbedding, parts.GetValueOrDefault(a), parts.GetValueOrDefault(b),
            parts.GetValueOrDefault(TensorPart.FactorBias), parts.GetValueOrDefault(TensorPart.Magnitude));
    }

    // As PEFT matches: a module is saved if its path ends with a name, be it in the middle of a word.
    private static bool IsSaved(string holder, ImmutableArray<string> names)
    {
        for (var end = holder.Length; end > 0 && !names.IsEmpty; end = holder.LastIndexOf('.', end - 1))
        {
            if (names.Any(name => name.Length > 0 && holder.AsSpan(0, end).EndsWith(name, StringComparison.Ordinal)))
                return true;
        }

        return false;
    }
}

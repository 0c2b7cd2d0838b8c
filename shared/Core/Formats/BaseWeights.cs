using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Marketplace.Core.Formats;

/// <summary>Where a module's weight W₀ lies in a model.</summary>
/// <param name="Tensor">The tensor; for a tied head that of the embeddings.</param>
/// <param name="Transposed">Whether it is stored as (in, out).</param>
public sealed record BaseWeight(TensorInfo Tensor, bool Transposed);

/// <summary>
/// The weights of a whole model in a folder as transformers writes it: <c>model.safetensors</c>, or shards with their index. Headers are read when
/// the folder is opened; a file is mapped when a tensor of it is first asked for. Tensors are read one at a time, safely from several threads.
/// </summary>
public sealed class BaseWeights : IDisposable
{
    private const string SingleFile = "model.safetensors";
    private const int BlockBytes = 1 << 24; // a part of a tensor that is converted at once

    private readonly FrozenDictionary<string, (TensorInfo Tensor, Shard Shard)> byName;
    private readonly ImmutableArray<Shard> shards;
    private readonly bool hasConv1D;
    private readonly string missingPrefix; // what PEFT's names begin with and the file's do not

    private BaseWeights(string folder, ModelDescription description, ImmutableArray<Shard> shards, ImmutableSortedDictionary<string, string>? index)
    {
        (Folder, Description, this.shards) = (folder, description, shards);
        var all = shards.SelectMany(s => s.Header.Tensors, (s, t) => (Tensor: t, Shard: s))
            .GroupBy(t => t.Tensor.Name, StringComparer.Ordinal)
            // A tensor in two shards is read from the one that the index names.
            .Select(g => g.FirstOrDefault(t => index?.GetValueOrDefault(g.Key) == t.Shard.File, g.First()));
        byName = all.ToFrozenDictionary(t => t.Tensor.Name, StringComparer.Ordinal);
        Tensors = [.. byName.Values.Select(t => t.Tensor).OrderBy(t => t.Name, StringComparer.Ordinal)];
        hasConv1D = description.ModelType is { } type ? ModelNaming.HasConv1D(type) : Tensors.Any(BiasShowsConv1D);
        var prefix = ModelNaming.PrefixOf(description.ModelType) + ".";
        missingPrefix = description.HasHead && !Tensors.Any(t => t.Name.StartsWith(prefix, StringComparison.Ordinal)) ? prefix : "";
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>What config.json says.</summary>
    public ModelDescription Description { get; }

    /// <summary>Every tensor of every shard, in ordinal order of their names.</summary>
    public ImmutableArray<TensorInfo> Tensors { get; }

    /// <summary>The files of weights, in ordinal order.</summary>
    public IEnumerable<string> Files => shards.Select(s => s.File);

    /// <summary>Whether linear layers store their weight as (in, out).</summary>
    public bool FanInFanOut => hasConv1D;

    /// <summary>Opens a folder; false with every problem found if its weights are not complete and valid.</summary>
    /// <exception cref="IOException">A file can't be read.</exception>
    public static bool TryOpen(string folder, [NotNullWhen(true)] out BaseWeights? weights, out ImmutableArray<WeightsProblem> problems)
    {
        var found = new List<WeightsProblem>();
        var config = Path.Combine(folder, "config.json");
        var description = !File.Exists(config) ? ModelDescription.Unknown : ModelDescription.Parse(File.ReadAllBytes(config));
        if (description is null)
            found.Add(new(WeightsProblem.ConfigInvalid, "config.json is no JSON object.", File: "config.json"));
        var index = ReadIndex(folder, found);
        var shards = found.Count > 0 ? [] : Open(folder, index?.Values.Distinct().Order(StringComparer.Ordinal) ?? (IEnumerable<string>)[SingleFile], found);
        var headers = shards.ToDictionary(s => s.File, s => s.Header, StringComparer.Ordinal);
        foreach (var (tensor, file) in index ?? ImmutableSortedDictionary<string, string>.Empty)
        {
            if (headers.TryGetValue(file, out var header) && header.Find(tensor) is null)
                found.Add(new(WeightsProblem.TensorMissing, $"'{tensor}' is not in {file}, where the index says it is.", tensor, file));
        }

        problems = [.. found];
        weights = problems.IsEmpty ? new(folder, description!, shards, index) : null;
        return weights is not null;
    }

    /// <summary>The tensor of that name, as stored: under the name with or without the first part, and for tied embeddings under either name. Null if there is none.</summary>
    public TensorInfo? Find(string name)
    {
        if (ModelNaming.Spellings(name).FirstOrDefault(byName.ContainsKey) is { } spelling)
            return byName[spelling].Tensor;
        if (Description.TiesEmbeddings == false || ModelNaming.ModuleOf(name) is not { } module)
            return null;
        Func<string, bool>? tied = ModelNaming.IsHead(module) ? ModelNaming.IsInputEmbedding : ModelNaming.IsInputEmbedding(module) ? ModelNaming.IsHead : null;
        return tied is null ? null : Tensors.FirstOrDefault(t => ModelNaming.ModuleOf(t.Name) is { } other && tied(other));
    }

    /// <summary>The weight of a LoRA's module; null with the reason if there is none that fits.</summary>
    /// <param name="module">Name, kind and shape.</param>
    /// <param name="config">The adapter's configuration, which decides on square weights of models whose type is unknown.</param>
    /// <param name="problem">Why not.</param>
    public BaseWeight? FindWeight(TargetModule module, AdapterConfig config, out WeightsProblem? problem)
    {
        problem = null;
        var tensor = Find(module.Name + ".weight");
        if (tensor is null)
            problem = new(WeightsProblem.TensorMissing, $"The model has no weight for {module.Name}.", module.Name);
        else if (!tensor.Type.IsFactorType())
            problem = new(WeightsProblem.TypeUnsupported, $"{tensor.Name} is stored as {tensor.Type}; only F64, F32, F16 and BF16 can be computed with.", tensor.Name);
        if (problem is not null || tensor is null)
            return null;
        var known = module.Kind == ModuleKind.Linear && Description.ModelType is not null;
        var transposed = StoredWeight.IsTransposed(module, known ? config with { FanInFanOut = IsConv1D(module.Name) } : config, tensor.Shape.AsSpan());
        var fits = module.Kind == ModuleKind.Conv2d
            ? tensor.Shape.Length == 4 && tensor.Shape[0] == module.Out && tensor.ElementCount == (long)module.Out * module.In
            : tensor.HasShape(transposed ? module.In : module.Out, transposed ? module.Out : module.In);
        if (!fits)
            problem = new(WeightsProblem.ShapeMismatch, $"{tensor.Name} has the shape {tensor.ShapeText}, but {module.Name} of the adapter is {module.Out}×{module.In}.", module.Name);
        return fits ? new(tensor, transposed) : null;
    }

    /// <summary>The name by which an adapter calls the module that holds a tensor <c>MODULE.weight</c>.</summary>
    public string ModuleName(string module) => ModelNaming.IsHead(module) ? module : missingPrefix + module;

    /// <summary>Whether a layer stores its weight as (in, out), as GPT-2's Conv1D does.</summary>
    public bool IsConv1D(string module) => hasConv1D && ModelNaming.IsConv1D(module);

    /// <summary>The file that holds a tensor.</summary>
    public string FileOf(TensorInfo tensor) => byName[tensor.Name].Shard.File;

    /// <summary>Whether two tensors have the same type, shape and bytes.</summary>
    public bool SameBytes(TensorInfo tensor, BaseWeights other, TensorInfo others)
    {
        if (tensor.Type != others.Type || !tensor.Shape.SequenceEqual(others.Shape))
            return false;
        var (first, second) = (byName[tensor.Name].Shard.Map, other.byName[others.Name].Shard.Map);
        for (var start = 0L; start < tensor.ByteLength; start += BlockBytes)
        {
            var length = (int)Math.Min(BlockBytes, tensor.ByteLength - start);
            if (!first.Bytes(tensor, start, length).SequenceEqual(second.Bytes(others, start, length)))
                return false;
        }

        return true;
    }

    /// <summary>A tensor's bytes, as stored.</summary>
    /// <exception cref="OverflowException">It has more than 2³¹ − 1 bytes.</exception>
    public byte[] ReadBytes(TensorInfo tensor) => byName[tensor.Name].Shard.Map.Bytes(tensor).ToArray();

    /// <summary>A tensor's elements as float64, in the order stored; any number of dimensions.</summary>
    /// <exception cref="ArgumentException">The type is none of F64, F32, F16 and BF16.</exception>
    /// <exception cref="OverflowException">It has more elements than an array can hold.</exception>
    public double[] Read(TensorInfo tensor)
    {
        var values = new double[checked((int)tensor.ElementCount)];
        Read(tensor, 0, values);
        return values;
    }

    /// <summary>Elements of a tensor from the <paramref name="first"/> on, as float64.</summary>
    /// <exception cref="ArgumentException">The type is none of F64, F32, F16 and BF16.</exception>
    public void Read(TensorInfo tensor, long first, Span<double> target)
    {
        var map = byName[tensor.Name].Shard.Map;
        var width = tensor.Type.Bits() / 8;
        for (var done = 0; done < target.Length;)
        {
            var count = Math.Min(target.Length - done, BlockBytes / width);
            TensorConversion.ToDouble(tensor.Type, map.Bytes(tensor, (first + done) * width, count * width), target.Slice(done, count));
            done += count;
        }
    }

    /// <summary>Elements of a tensor from the <paramref name="first"/> on, as float32; F64 is rounded.</summary>
    /// <exception cref="ArgumentException">The type is none of F64, F32, F16 and BF16.</exception>
    public void Read(TensorInfo tensor, long first, Span<float> target)
    {
        var map = byName[tensor.Name].Shard.Map;
        var width = tensor.Type.Bits() / 8;
        for (var done = 0; done < target.Length;)
        {
            var count = Math.Min(target.Length - done, BlockBytes / width);
            TensorConversion.ToSingle(tensor.Type, map.Bytes(tensor, (first + done) * width, count * width), target.Slice(done, count));
            done += count;
        }
    }

    /// <summary>W₀ of shape (out, in), however it is stored.</summary>
    public Matrix Read(BaseWeight weight)
    {
        var rows = (int)weight.Tensor.Shape[0];
        var stored = new Matrix(rows, (int)(weight.Tensor.ElementCount / rows), Read(weight.Tensor));
        return weight.Transposed ? Algebra.MatrixMath.Transpose(stored) : stored;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var shard in shards)
            shard.Dispose();
    }

    // (in, out) beside a bias of length out.
    private bool BiasShowsConv1D(TensorInfo tensor) =>
        ModelNaming.ModuleOf(tensor.Name) is { } module && ModelNaming.IsConv1D(module) && tensor.Shape.Length == 2 && tensor.Shape[0] != tensor.Shape[1]
        && byName.TryGetValue(module + ".bias", out var bias) && bias.Tensor.HasShape(tensor.Shape[1]);

    private static ImmutableSortedDictionary<string, string>? ReadIndex(string folder, List<WeightsProblem> found)
    {
        var index = Path.Combine(folder, WeightsIndex.FileName);
        if (File.Exists(Path.Combine(folder, SingleFile)))
            return null;
        if (File.Exists(index))
        {
            var map = WeightsIndex.Parse(File.ReadAllBytes(index), out var reason);
            if (map is null)
                found.Add(new(WeightsProblem.IndexInvalid, $"{WeightsIndex.FileName} can't be used. {reason}", File: WeightsIndex.FileName));
            return map;
        }

        var pickle = Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, "*.*").Order(StringComparer.Ordinal).FirstOrDefault(f => f.EndsWith(".bin", StringComparison.Ordinal) || f.EndsWith(".pt", StringComparison.Ordinal) || f.EndsWith(".pth", StringComparison.Ordinal))
            : null;
        found.Add(pickle is not null && PickleContent.IsPickle(pickle)
            ? new(WeightsProblem.PickleRefused, $"The weights are a Python pickle, which is not read, since reading it could run its code. {PickleContent.Advice}", File: Path.GetFileName(pickle))
            : new(WeightsProblem.NoWeights, $"'{folder}' holds no {SingleFile} and no {WeightsIndex.FileName}."));
        return null;
    }

    private static ImmutableArray<Shard> Open(string folder, IEnumerable<string> files, List<WeightsProblem> found)
    {
        var shards = ImmutableArray.CreateBuilder<Shard>();
        foreach (var file in files)
        {
            var path = Path.Combine(folder, file);
            if (!File.Exists(path))
            {
                found.Add(new(WeightsProblem.ShardMissing, $"{file} is not there, but the index names it.", File: file));
                continue;
            }

            using var stream = File.OpenRead(path);
            var parse = SafetensorsHeader.Parse(stream, stream.Length);
            if (parse.Header is { } header)
                shards.Add(new(file, path, header));
            else if (PickleContent.IsPickle(path))
                found.Add(new(WeightsProblem.PickleRefused, $"{file} is a Python pickle, which is not read, since reading it could run its code. {PickleContent.Advice}", File: file));
            else
                found.AddRange(parse.Problems.Select(p => new WeightsProblem(WeightsProblem.ShardInvalid, $"{file}: {p.Message}", p.Tensor, file)));
        }

        return shards.ToImmutable();
    }

    private sealed class Shard(string file, string path, SafetensorsHeader header) : IDisposable
    {
        private readonly Lazy<SafetensorsFile> map = new(() => SafetensorsFile.Open(path));

        public string File => file;

        public SafetensorsHeader Header => header;

        public SafetensorsFile Map => map.Value;

        public void Dispose()
        {
            if (map.IsValueCreated)
                map.Value.Dispose();
        }
    }
}

using System.Collections.Immutable;
using System.Text.Json;

namespace Marketplace.Core.Formats;

/// <summary>
/// Looks whether files are a base model that can be computed with, file by file, so that shards need not be at hand together: configuration and its architecture, tokenizer, index, and
/// the header of each file of weights. Tensors are not read, pickles neither.
/// </summary>
public sealed class BaseModelInspection
{
    /// <summary>config.json is not there.</summary>
    public const string ConfigMissing = "config-missing";

    /// <summary>There is no tokenizer.json: adapters can be folded and compared with such a model, texts can't be scored.</summary>
    public const string TokenizerMissing = "tokenizer-missing";

    /// <summary>A file of the tokenizer, or generation_config.json, is no JSON object.</summary>
    public const string JsonInvalid = "json-invalid";

    /// <summary>The index is there as well as <c>model.safetensors</c>, or a file of weights that nothing names.</summary>
    public const string UnreadWeights = "unread-weights";

    private const long MaxJson = 1 << 28;

    private readonly Dictionary<string, SafetensorsHeader?> headers = new(StringComparer.Ordinal);
    private readonly List<WeightsProblem> problems = [];
    private readonly List<WeightsProblem> warnings = [];
    private readonly HashSet<string> seen = new(StringComparer.Ordinal);
    private ImmutableSortedDictionary<string, string>? index;

    /// <summary>The architectures that the kernels have a decoder for, by <c>model_type</c>.</summary>
    public static ImmutableArray<string> Architectures { get; } = ["gemma3_text", "gpt2", "llama", "mistral", "phi", "phi3", "qwen2", "qwen3"];

    /// <summary><c>model_type</c> of the configuration, once it was looked at.</summary>
    public string? Architecture { get; private set; }

    /// <summary>Whether a problem was found so far.</summary>
    public bool HasProblems => problems.Count > 0;

    /// <summary>What can be lived with, after <see cref="Finish"/>.</summary>
    public ImmutableArray<WeightsProblem> Warnings => [.. warnings];

    /// <summary>Inspects all files of a folder.</summary>
    /// <exception cref="IOException">A file can't be read.</exception>
    public static BaseModelInspection OfFolder(string folder)
    {
        var inspection = new BaseModelInspection();
        foreach (var path in BaseModelManifest.FilesIn(folder))
            inspection.Add(path, Path.Combine(folder, path));
        return inspection;
    }

    /// <summary>Looks at one file.</summary>
    /// <param name="path">Its name in the model.</param>
    /// <param name="filePath">Where it is.</param>
    /// <exception cref="IOException">It can't be read.</exception>
    public void Add(string path, string filePath)
    {
        seen.Add(path);
        using var stream = File.OpenRead(filePath);
        if (BaseModelManifest.IsWeights(path))
            headers[path] = Header(path, filePath, stream);
        else if (stream.Length > MaxJson)
            problems.Add(new(CodeOf(path), $"{path} has {stream.Length} bytes; up to {MaxJson} are read.", File: path));
        else
            Read(path, stream);
    }

    /// <summary>Notes that a file was announced and is not to be had; it is not reported a second time as missing.</summary>
    public void Lost(string path)
    {
        seen.Add(path);
        if (BaseModelManifest.IsWeights(path))
            headers[path] = null;
    }

    /// <summary>Every problem, after the last file.</summary>
    public ImmutableArray<WeightsProblem> Finish()
    {
        if (!seen.Contains(BaseModelManifest.Config))
            problems.Add(new(ConfigMissing, "There is no config.json.", File: BaseModelManifest.Config));
        if (!seen.Contains(BaseModelManifest.Tokenizer))
            warnings.Add(new(TokenizerMissing, "There is no tokenizer.json: texts can't be scored with this model.", File: BaseModelManifest.Tokenizer));
        var named = Named();
        foreach (var path in headers.Keys.Where(p => !named.Contains(p)).Order(StringComparer.Ordinal))
            warnings.Add(new(UnreadWeights, $"Nothing reads {path}.", File: path));
        if (named.Count == 0 && !seen.Contains(BaseModelManifest.Index))
            problems.Add(new(WeightsProblem.NoWeights, $"There is no {BaseModelManifest.Weights} and no {BaseModelManifest.Index}."));
        foreach (var shard in named.Where(n => !headers.ContainsKey(n)).Order(StringComparer.Ordinal))
            problems.Add(new(WeightsProblem.ShardMissing, $"{shard} is not there, but the index names it.", File: shard));
        foreach (var (tensor, file) in headers.ContainsKey(BaseModelManifest.Weights) ? ImmutableSortedDictionary<string, string>.Empty : index ?? ImmutableSortedDictionary<string, string>.Empty)
        {
            if (headers.GetValueOrDefault(file) is { } header && header.Find(tensor) is null)
                problems.Add(new(WeightsProblem.TensorMissing, $"'{tensor}' is not in {file}, where the index says it is.", tensor, file));
        }

        if (named.Count > 0 && named.All(n => headers.GetValueOrDefault(n) is { Tensors.IsEmpty: true }))
            problems.Add(new(WeightsProblem.NoWeights, "The weights hold no tensor."));
        return [.. problems];
    }

    // The files of weights that transformers would read.
    private HashSet<string> Named() => new(headers.ContainsKey(BaseModelManifest.Weights) ? [BaseModelManifest.Weights] : index?.Values ?? [], StringComparer.Ordinal);

    private SafetensorsHeader? Header(string path, string filePath, Stream stream)
    {
        if (PickleContent.IsPickle(filePath))
        {
            problems.Add(new(WeightsProblem.PickleRefused, $"{path} is a Python pickle, which is not read, since reading it could run its code. {PickleContent.Advice}", File: path));
            return null;
        }

        var parse = SafetensorsHeader.Parse(stream, stream.Length);
        problems.AddRange(parse.Header is null ? parse.Problems.Select(p => new WeightsProblem(WeightsProblem.ShardInvalid, $"{path}: {p.Message}", p.Tensor, path)) : []);
        return parse.Header;
    }

    private void Read(string path, Stream stream)
    {
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        if (path == BaseModelManifest.Index)
        {
            index = WeightsIndex.Parse(bytes, out var reason);
            if (index is null)
                problems.Add(new(WeightsProblem.IndexInvalid, $"{path} can't be used. {reason}", File: path));
        }
        else if (!IsObject(bytes))
        {
            problems.Add(new(CodeOf(path), $"{path} is no JSON object.", File: path));
        }
        else if (path == BaseModelManifest.Config)
        {
            Architecture = ModelDescription.Parse(bytes)?.ModelType;
            if (Architecture is null || !Architectures.Contains(Architecture))
            {
                problems.Add(new(WeightsProblem.ArchitectureUnknown,
                    $"{(Architecture is null ? "config.json names no model_type" : $"There is no decoder for '{Architecture}'")}; known are {string.Join(", ", Architectures)}.", File: path));
            }
        }
    }

    private static string CodeOf(string path) => path switch
    {
        BaseModelManifest.Config => WeightsProblem.ConfigInvalid,
        BaseModelManifest.Index => WeightsProblem.IndexInvalid,
        _ => JsonInvalid,
    };

    private static bool IsObject(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}

using System.Globalization;
using System.Text.RegularExpressions;
using Marketplace.Core;
using Marketplace.Core.Formats;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>What the files of a repository are.</summary>
internal enum TreeKind
{
    /// <summary>Neither yet.</summary>
    Draft,

    /// <summary>An adapter: its configuration and its weights are there.</summary>
    Adapter,

    /// <summary>A base model: its configuration and all its weights are there.</summary>
    BaseModel,

    /// <summary>Something that can become neither.</summary>
    Foreign,
}

/// <summary>Tells by their names what files are; what is in them is validation's business.</summary>
internal static partial class TreeKinds
{
    /// <summary>What the files are, and of foreign ones which of them shows it.</summary>
    /// <param name="paths">Their paths.</param>
    /// <param name="mayBeBaseModel">Whether who commits may register base models, and the repository can be one.</param>
    /// <param name="mayBeAdapter">Whether the repository can be an adapter.</param>
    public static (TreeKind Kind, IReadOnlyList<string> Foreign) Of(IReadOnlyCollection<string> paths, bool mayBeBaseModel, bool mayBeAdapter)
    {
        if (mayBeAdapter && paths.Contains(RepositoryPath.Config) && paths.Contains(RepositoryPath.Weights))
            return (TreeKind.Adapter, []);
        // Pickled weights in an adapter's place stay what they are, whatever else comes.
        string[] pickled = [.. paths.Where(path => path is "adapter_model.bin" or "adapter_model.pt")];
        var adapter = mayBeAdapter && (paths.Contains(RepositoryPath.Config) || paths.Contains(RepositoryPath.Weights));
        string[] models = [.. paths.Where(IsModel)];
        string[] unread = [.. models.Where(path => !mayBeBaseModel || !BaseModelManifest.Takes(path))];
        if (pickled.Length > 0 || (!adapter && unread.Length > 0))
            return (TreeKind.Foreign, [.. pickled, .. unread]);
        if (!mayBeAdapter && paths.FirstOrDefault(path => path is RepositoryPath.Config or RepositoryPath.Weights) is { } other)
            return (TreeKind.Foreign, [other]);
        return mayBeBaseModel && !adapter && paths.Contains(BaseModelManifest.Config) && HasAllWeights(paths) ? (TreeKind.BaseModel, []) : (TreeKind.Draft, []);
    }

    // One file, or all shards of those whose names say how many there are; of others the index says it, and validation reads that.
    private static bool HasAllWeights(IReadOnlyCollection<string> paths)
    {
        if (paths.Contains(BaseModelManifest.Weights))
            return true;
        if (!paths.Contains(BaseModelManifest.Index))
            return false;
        var shards = paths.Select(path => Shard().Match(path)).Where(m => m.Success).ToList();
        return shards.Count == 0
            ? paths.Any(BaseModelManifest.IsWeights)
            : shards.Count >= int.Parse(shards[0].Groups[1].Value, CultureInfo.InvariantCulture);
    }

    private static bool IsModel(string path) => Model().IsMatch(path[(path.LastIndexOf('/') + 1)..]);

    [GeneratedRegex(@"^model-\d{5}-of-(\d{5})\.safetensors$")]
    private static partial Regex Shard();

    [GeneratedRegex(@"^(((pytorch_|diffusion_pytorch_)?model|consolidated)([.-].*)?\.(safetensors|bin|pt|pth|h5|msgpack|onnx)(\.index\.json)?|(tf|flax)_model([.-].*)?\.(h5|msgpack)|.*\.(gguf|ggml|ckpt))$", RegexOptions.IgnoreCase)]
    private static partial Regex Model();
}

using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Marketplace.Core.Formats;

/// <summary>A file of a base model.</summary>
/// <param name="Path">Its name; the files of a model lie in one folder.</param>
/// <param name="Digest">SHA-256 of its bytes.</param>
/// <param name="Size">Its length in bytes.</param>
public sealed record BaseModelFile(string Path, Digest Digest, long Size);

/// <summary>
/// The files of a base model, as transformers writes them into a folder: configuration, tokenizer, and the weights in <c>model.safetensors</c> or in
/// shards beside an index. <see cref="Digest"/> names what a score depends on.
/// </summary>
public sealed class BaseModelManifest
{
    /// <summary>The model's configuration.</summary>
    public const string Config = "config.json";

    /// <summary>How to generate, in transformers: nothing that we compute depends on it, so it is no part of the digest.</summary>
    public const string GenerationConfig = "generation_config.json";

    /// <summary>The tokenizer.</summary>
    public const string Tokenizer = "tokenizer.json";

    /// <summary>All weights in one file.</summary>
    public const string Weights = "model.safetensors";

    /// <summary>Which shard holds which tensor.</summary>
    public const string Index = WeightsIndex.FileName;

    private static readonly string[] Others = [Config, GenerationConfig, Tokenizer, "tokenizer_config.json", "special_tokens_map.json", Index];

    private BaseModelManifest(ImmutableArray<BaseModelFile> files)
    {
        Files = files;
        Digest = Digest.Of(CanonicalBytes());
    }

    /// <summary>The files in ordinal order of their names.</summary>
    public ImmutableArray<BaseModelFile> Files { get; }

    /// <summary>
    /// SHA-256 of <see cref="CanonicalBytes"/>: configuration, weights and tokenizer, byte for byte. Two models of one digest give the same scores; the same
    /// numbers in other bytes, such as one file for several shards, have another.
    /// </summary>
    public Digest Digest { get; }

    /// <summary>Bytes of all files.</summary>
    public long Size => Files.Sum(f => f.Size);

    /// <summary>Whether a file of that name is part of a base model: weights and index, configurations, tokenizer.</summary>
    public static bool Takes(string path) => IsWeights(path) || Others.Contains(path, StringComparer.Ordinal);

    /// <summary>Whether a file of that name holds tensors: any <c>.safetensors</c> in the model's own folder.</summary>
    public static bool IsWeights(string path) => RepositoryPath.IsValid(path) && WeightsIndex.IsPlainName(path);

    /// <summary>A manifest over files given in any order.</summary>
    /// <exception cref="ArgumentException">A name occurs twice or is none of a base model's.</exception>
    public static BaseModelManifest Of(IEnumerable<BaseModelFile> files)
    {
        ImmutableArray<BaseModelFile> sorted = [.. files.OrderBy(f => f.Path, StringComparer.Ordinal)];
        if (sorted.FirstOrDefault(f => !Takes(f.Path)) is { } other)
            throw new ArgumentException($"'{other.Path}' is no file of a base model.", nameof(files));
        if (sorted.Select(f => f.Path).Distinct(StringComparer.Ordinal).Count() < sorted.Length)
            throw new ArgumentException("A file occurs twice.", nameof(files));
        return new(sorted);
    }

    /// <summary>
    /// The names of a base model's files in a folder, in ordinal order. Weights are those that transformers would load: the one file, else the index and what it names;
    /// where neither is to be had, every safetensors file, so that a check can say what is wrong.
    /// </summary>
    /// <exception cref="IOException">The folder can't be read.</exception>
    public static ImmutableArray<string> FilesIn(string folder)
    {
        var present = Directory.EnumerateFiles(folder).Select(p => Path.GetFileName(p)!).Where(Takes).Order(StringComparer.Ordinal).ToList();
        if (present.Contains(Weights))
            return [.. present.Where(p => p == Weights || (!IsWeights(p) && p != Index))];
        if (!present.Contains(Index) || WeightsIndex.Parse(File.ReadAllBytes(Path.Combine(folder, Index)), out _) is not { } map)
            return [.. present];
        var named = map.Values.ToHashSet(StringComparer.Ordinal);
        return [.. present.Where(p => !IsWeights(p) || named.Contains(p))];
    }

    /// <summary>Reads every file of a folder once, for its digest.</summary>
    /// <exception cref="IOException">A file can't be read.</exception>
    public static BaseModelManifest OfFolder(string folder) => Of(FilesIn(folder).Select(path =>
    {
        using var stream = File.OpenRead(Path.Combine(folder, path));
        return new BaseModelFile(path, Digest.FromHash(SHA256.HashData(stream)), stream.Length);
    }));

    /// <summary>
    /// The bytes that are hashed: UTF-8 lines ended by a line feed, <c>base-model 1</c>, then <c>DIGEST SIZE NAME</c> for each file but generation_config.json, in ordinal order of the names.
    /// </summary>
    public byte[] CanonicalBytes()
    {
        var text = new StringBuilder("base-model 1\n");
        foreach (var file in Files.Where(f => f.Path != GenerationConfig))
            text.Append(CultureInfo.InvariantCulture, $"{file.Digest.Hex} {file.Size} {file.Path}\n");
        return Encoding.UTF8.GetBytes(text.ToString());
    }
}

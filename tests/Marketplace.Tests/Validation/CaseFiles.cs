using System.Text;
using System.Text.Json.Nodes;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Validation;

namespace Marketplace.Tests.Validation;

/// <summary>The files of a valid adapter, to be spoilt in one way or another.</summary>
internal sealed class CaseFiles
{
    public const string A = "base_model.model.l.0.q.lora_A.weight";
    public const string B = "base_model.model.l.0.q.lora_B.weight";
    public const string A1 = "base_model.model.l.1.q.lora_A.weight";
    public const string B1 = "base_model.model.l.1.q.lora_B.weight";

    private readonly SortedDictionary<string, TensorSource> tensors = new(StringComparer.Ordinal);
    private readonly List<AdapterFile> others = [];
    private JsonObject config = new()
    {
        ["peft_type"] = "LORA",
        ["base_model_name_or_path"] = "org/base",
        ["r"] = 2,
        ["lora_alpha"] = 4,
        ["target_modules"] = new JsonArray("q"),
    };

    private byte[]? configBytes;
    private byte[]? weightsBytes;
    private bool hasConfig = true;
    private bool hasWeights = true;

    public CaseFiles() => Tensor(A, [2, 3]).Tensor(B, [4, 2]).Tensor(A1, [2, 3]).Tensor(B1, [4, 2]);

    public CaseFiles Set(string member, JsonNode? value)
    {
        config[member] = value;
        return this;
    }

    public CaseFiles Set(string member, string json) => Set(member, JsonNode.Parse(json));

    public CaseFiles Config(string? text)
    {
        (hasConfig, configBytes) = (text is not null, text is null ? null : Encoding.UTF8.GetBytes(text));
        return this;
    }

    public CaseFiles Weights(byte[]? bytes)
    {
        (hasWeights, weightsBytes) = (bytes is not null, bytes);
        return this;
    }

    public CaseFiles Weights(Func<byte[], byte[]> change) => Weights(change(Written()));

    public CaseFiles Tensor(string name, long[] shape, double value = 0.5, TensorType type = TensorType.F32)
    {
        var count = (int)shape.Aggregate(1L, (p, d) => p * d);
        tensors[name] = type.IsFactorType()
            ? TensorSource.FromDoubles(name, type, [.. shape], () => [.. Enumerable.Range(0, count).Select(i => i % 2 == 0 ? value : value / 2)])
            : new TensorSource(name, type, [.. shape], () => new byte[count * type.Bits() / 8]);
        return this;
    }

    public CaseFiles Without(params string[] names)
    {
        foreach (var name in names)
            tensors.Remove(name);
        return this;
    }

    public CaseFiles File(string path, string content = "x") => File(path, Encoding.UTF8.GetBytes(content));

    public CaseFiles File(string path, byte[] content)
    {
        others.Add(AdapterFile.FromBytes(path, content));
        return this;
    }

    public IReadOnlyList<AdapterFile> Files()
    {
        List<AdapterFile> files = [];
        if (hasConfig)
            files.Add(AdapterFile.FromBytes(RepositoryPath.Config, configBytes ?? Encoding.UTF8.GetBytes(config.ToJsonString())));
        if (hasWeights)
            files.Add(AdapterFile.FromBytes(RepositoryPath.Weights, weightsBytes ?? Written()));
        return [.. files, .. others];
    }

    private byte[] Written()
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors.Values);
        return stream.ToArray();
    }
}

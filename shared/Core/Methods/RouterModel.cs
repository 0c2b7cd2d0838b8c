using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Methods;

/// <summary>
/// An Arrow router: K experts with one prototype each at every routed module. It is stored as two files: the prototypes as safetensors, one F32 tensor (K, in) for
/// each routed module, laid out like the buffer <c>prototypes</c> of a layer in PEFT; and what they mean as JSON.
/// </summary>
public sealed class RouterModel
{
    /// <summary>Name of the file with the prototypes.</summary>
    public const string PrototypesFile = "prototypes.safetensors";

    /// <summary>Name of the file that describes them.</summary>
    public const string DescriptionFile = "router.json";

    private readonly ImmutableDictionary<string, float[]> prototypes;
    private readonly Dictionary<string, RouterModule> byMember = new(StringComparer.Ordinal);

    /// <summary>A router of prototypes that are known.</summary>
    /// <param name="description">What they mean.</param>
    /// <param name="prototypes">By tensor: K rows of In numbers.</param>
    /// <exception cref="ArgumentException">The numbers do not fit the description, or a module occurs twice.</exception>
    public RouterModel(RouterDescription description, ImmutableDictionary<string, float[]> prototypes)
    {
        (Description, this.prototypes) = (description, prototypes);
        foreach (var module in description.Modules)
        {
            if (!prototypes.TryGetValue(module.Tensor, out var rows) || rows.Length != (long)module.In * description.Experts.Length || module.Experts.Length != description.Experts.Length)
                throw new ArgumentException($"The prototypes of '{module.Tensor}' do not fit their description.", nameof(prototypes));
            foreach (var member in module.Members)
            {
                if (!byMember.TryAdd(member, module))
                    throw new ArgumentException($"'{member}' is routed twice.", nameof(description));
            }
        }
    }

    /// <summary>Everything but the prototypes.</summary>
    public RouterDescription Description { get; }

    /// <summary>What routes a module of the base model; null where none of the experts adapts it.</summary>
    public RouterModule? Find(string module) => byMember.GetValueOrDefault(module);

    /// <summary>The prototypes of a routed module, shape (K, in); rows of experts that take no part are zero.</summary>
    public ReadOnlySpan<float> Prototypes(RouterModule module) => prototypes[module.Tensor];

    /// <summary>The prototypes as a file; equal routers give equal bytes.</summary>
    public byte[] PrototypeBytes()
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, Tensors());
        return stream.ToArray();
    }

    /// <summary>Writes both files into a folder, the prototypes tensor by tensor.</summary>
    public void Save(string folder)
    {
        SafetensorsWriter.Save(Path.Combine(folder, PrototypesFile), Tensors());
        File.WriteAllBytes(Path.Combine(folder, DescriptionFile), DescriptionBytes());
    }

    /// <summary>The description as a file.</summary>
    public byte[] DescriptionBytes() => JsonSerializer.SerializeToUtf8Bytes(Description, ApiJson.Options);

    /// <summary>Reads what <see cref="PrototypeBytes"/> and <see cref="DescriptionBytes"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The bytes are something else.</exception>
    public static RouterModel Parse(ReadOnlyMemory<byte> prototypes, ReadOnlySpan<byte> description)
    {
        var read = ParseDescription(description);
        using var file = SafetensorsFile.Read(prototypes);
        try
        {
            return new(read, read.Modules.ToImmutableDictionary(m => m.Tensor, m => Read(file, m.Tensor), StringComparer.Ordinal));
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    /// <summary>Reads a description by itself.</summary>
    /// <exception cref="InvalidDataException">It is none, or of another format.</exception>
    public static RouterDescription ParseDescription(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize<RouterDescription>(json, ApiJson.Options) is { Format: RouterDescription.CurrentFormat } description
                ? description
                : throw new InvalidDataException("A router's description of another format.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    private IEnumerable<TensorSource> Tensors() => Description.Modules.Select(m => new TensorSource(
        m.Tensor, TensorType.F32, [Description.Experts.Length, m.In], () => MemoryMarshal.AsBytes(prototypes[m.Tensor].AsSpan()).ToArray()));

    private static float[] Read(SafetensorsFile file, string tensor) => file.Find(tensor) is { Type: TensorType.F32 } found ? file.ReadSingle(found) : [];
}

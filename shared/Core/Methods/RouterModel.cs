using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
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
        SafetensorsWriter.Write(stream, Description.Modules.Select(m => new TensorSource(
            m.Tensor, TensorType.F32, [Description.Experts.Length, m.In], () => MemoryMarshal.AsBytes(prototypes[m.Tensor].AsSpan()).ToArray())));
        return stream.ToArray();
    }

    /// <summary>The description as a file.</summary>
    public byte[] DescriptionBytes() => JsonSerializer.SerializeToUtf8Bytes(Description, ApiJson.Options);

    /// <summary>Reads what <see cref="PrototypeBytes"/> and <see cref="DescriptionBytes"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The bytes are something else.</exception>
    public static RouterModel Parse(ReadOnlyMemory<byte> prototypes, ReadOnlySpan<byte> description) =>
        TryParse(prototypes, description, out var model, out var problem) ? model : throw new InvalidDataException(problem);

    private static bool TryParse(ReadOnlyMemory<byte> bytes, ReadOnlySpan<byte> description, [NotNullWhen(true)] out RouterModel? model, out string? problem)
    {
        model = null;
        try
        {
            var read = JsonSerializer.Deserialize<RouterDescription>(description, ApiJson.Options);
            problem = read?.Format != RouterDescription.CurrentFormat ? $"Router files of format {read?.Format} can't be read." : null;
            if (problem is not null || !SafetensorsFile.TryRead(bytes, out var file, out _))
                return false;
            using (file)
            {
                model = new(read!, read!.Modules.ToImmutableDictionary(m => m.Tensor, m => Read(file, m.Tensor), StringComparer.Ordinal));
                return true;
            }
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            problem = e.Message;
            return false;
        }
    }

    private static float[] Read(SafetensorsFile file, string tensor) => file.Find(tensor) is { Type: TensorType.F32 } found ? file.ReadSingle(found) : [];
}

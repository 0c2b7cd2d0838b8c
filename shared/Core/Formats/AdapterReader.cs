using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Numerics.Tensors;
using Marketplace.Core.Validation;

namespace Marketplace.Core.Formats;

/// <summary>
/// Opens adapters that PEFT wrote. The factors come out folded, in float64: ΔW = B·A with the scaling inside B. Structure is checked
/// as validation checks it; the numbers themselves are not looked at (<see cref="AdapterValidator"/> does).
/// </summary>
public static class AdapterReader
{
    /// <summary>Opens the adapter in a folder; false with the issues if it is not a valid one.</summary>
    /// <exception cref="IOException">A file is missing or can't be read.</exception>
    public static bool TryOpen(string folder, [NotNullWhen(true)] out Adapter? adapter, out ImmutableArray<ValidationIssue> issues) =>
        TryOpen(Path.Combine(folder, RepositoryPath.Config), Path.Combine(folder, RepositoryPath.Weights), out adapter, out issues);

    /// <summary>Opens an adapter from its two files; false with the issues if it is not a valid one. Issues that are no errors come with an adapter, too.</summary>
    /// <exception cref="IOException">A file is missing or can't be read.</exception>
    public static bool TryOpen(
        string configPath, string weightsPath, [NotNullWhen(true)] out Adapter? adapter, out ImmutableArray<ValidationIssue> issues)
    {
        var config = File.ReadAllBytes(configPath);
        SafetensorsFile.TryOpen(weightsPath, out var file, out var problems);
        return TryBuild(config, file, problems, out adapter, out issues);
    }

    /// <summary>Opens an adapter from the bytes of its two files; false with the issues if it is not a valid one.</summary>
    public static bool TryRead(
        ReadOnlyMemory<byte> config, ReadOnlyMemory<byte> weights, [NotNullWhen(true)] out Adapter? adapter, out ImmutableArray<ValidationIssue> issues)
    {
        SafetensorsFile.TryRead(weights, out var file, out var problems);
        return TryBuild(config, file, problems, out adapter, out issues);
    }

    /// <summary>Opens the adapter in a folder, known to be valid.</summary>
    /// <exception cref="InvalidDataException">It is not.</exception>
    /// <exception cref="IOException">A file is missing or can't be read.</exception>
    public static Adapter Open(string folder) => TryOpen(folder, out var adapter, out var issues) ? adapter : throw Invalid(issues);

    /// <summary>Opens an adapter from its two files, known to be valid.</summary>
    /// <exception cref="InvalidDataException">It is not.</exception>
    /// <exception cref="IOException">A file is missing or can't be read.</exception>
    public static Adapter Open(string configPath, string weightsPath) =>
        TryOpen(configPath, weightsPath, out var adapter, out var issues) ? adapter : throw Invalid(issues);

    private static bool TryBuild(
        ReadOnlyMemory<byte> config, SafetensorsFile? file, ImmutableArray<SafetensorsProblem> problems,
        [NotNullWhen(true)] out Adapter? adapter, out ImmutableArray<ValidationIssue> issues)
    {
        var context = AdapterValidator.CheckStructure(config, new SafetensorsParse(file?.Header, problems));
        (adapter, issues) = (null, context.Issues);
        if (file is null || issues.Any(i => i.Severity == IssueSeverity.Error))
        {
            file?.Dispose();
            return false;
        }

        var modules = context.Modules().ToImmutableDictionary(m => m.Module.Name, StringComparer.Ordinal);
        var carried = context.Layout!.Carried.Select(c => c.Tensor)
            .Concat(modules.Values.SelectMany(m => new[] { m.Tensors.FactorBias, m.Tensors.Magnitude }).OfType<TensorInfo>());
        adapter = new Adapter(
            context.Config!.Config!, modules.Values.Select(m => m.Module), module => Read(file, module, modules[module.Name].Tensors),
            carried.Select(t => t.Name), file, module => file.ReadDouble(modules[module.Name].Tensors.Magnitude!),
            (module, b, a) => Read(file, module, modules[module.Name].Tensors, b, a),
            tensor => file.Find(tensor) is { } found ? new(found.Shape, file.ReadSingle(found)) : throw new ArgumentException($"There is no '{tensor}'.", nameof(tensor)));
        return true;
    }

    // Convolutions are stored with four dimensions, but the same numbers in the same order.
    private static LowRankDelta Read(SafetensorsFile file, TargetModule module, ModuleTensors tensors)
    {
        var delta = new LowRankDelta(
            new Matrix(module.Out, module.Rank, GC.AllocateUninitializedArray<double>(checked(module.Out * module.Rank))),
            new Matrix(module.Rank, module.In, GC.AllocateUninitializedArray<double>(checked(module.Rank * module.In))));
        Read(file, module, tensors, delta.B.Values, delta.A.Values);
        return delta;
    }

    private static void Read(SafetensorsFile file, TargetModule module, ModuleTensors tensors, Span<double> b, Span<double> a)
    {
        TensorConversion.ToDouble(tensors.B!.Type, file.Bytes(tensors.B), b);
        TensorConversion.ToDouble(tensors.A!.Type, file.Bytes(tensors.A), a);
        if (module.Scaling != 1)
            TensorPrimitives.Multiply(b, module.Scaling, b);
    }

    private static InvalidDataException Invalid(ImmutableArray<ValidationIssue> issues) => new(
        "Not a valid adapter. " + string.Join(' ', issues.Where(i => i.Severity == IssueSeverity.Error).Select(i => $"{i.Code} at {i.Path}: {i.Message}")));
}

using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Extraction;

/// <summary>
/// Sparse deltas as safetensors: for each tensor <c>NAME.indices</c> (I64, row-major, ascending) and <c>NAME.values</c>, its shape as metadata
/// <c>NAME.shape</c>, such as <c>3,4,2</c>. Also read: what <c>torch.load(…, weights_only=True)</c> and <c>save_file</c> make of LT-SFT's own file, that is
/// <c>NAME.index_steps</c> (I64 or I32, column-major), <c>NAME.values</c> and <c>NAME.size</c> (I64).
/// </summary>
public static class SparseFile
{
    /// <summary>Name of the file in a folder.</summary>
    public const string FileName = "sparse_delta.safetensors";

    private const string Indices = ".indices";
    private const string Values = ".values";
    private const string Steps = ".index_steps";
    private const string Size = ".size";
    private const string Shape = ".shape";

    /// <summary>How to turn pytorch_diff.bin of LT-SFT into a file that can be read.</summary>
    public const string Advice =
        "Convert it where you trust it: python -c \"import torch; from safetensors.torch import save_file; d = torch.load('pytorch_diff.bin', weights_only=True)['diffs']; " +
        "save_file({f'{n}.{k}': torch.as_tensor(list(v[k]) if k == 'size' else v[k]) for n, v in d.items() for k in ('size', 'index_steps', 'values')}, 'sparse_delta.safetensors')\". " +
        "Parameters under 'abs', which replace the model's own, are no part of a sparse delta.";

    private static readonly SafetensorsLimits Limits = SafetensorsLimits.Default with { MetadataBytes = 1 << 24, NameBytes = 2048 };

    /// <summary>Writes a delta; values are rounded to <paramref name="type"/>.</summary>
    public static void Save(string path, SparseDelta delta, TensorType type = TensorType.F32) => SafetensorsWriter.Save(
        path,
        delta.Tensors.SelectMany(t => new[]
        {
            new TensorSource(t.Name + Indices, TensorType.I64, [t.Indices.LongLength], () => MemoryMarshal.AsBytes<long>(t.Indices).ToArray()),
            TensorSource.FromDoubles(t.Name + Values, type, [t.Values.LongLength], () => t.Values),
        }),
        delta.Tensors.ToDictionary(t => t.Name + Shape, t => string.Join(',', t.Shape)).Append(new("format", "pt")).ToDictionary());

    /// <summary>Reads a file; null with every problem found.</summary>
    /// <exception cref="IOException">The file can't be read.</exception>
    public static SparseDelta? Read(string path, out ImmutableArray<SparseProblem> problems)
    {
        if (PickleContent.IsPickle(path))
        {
            problems = [new(WeightsProblem.PickleRefused, $"{Path.GetFileName(path)} is a Python pickle, which is not read, since reading it could run its code. {Advice}")];
            return null;
        }

        if (!SafetensorsFile.TryOpen(path, out var file, out var invalid, Limits))
        {
            problems = [.. invalid.Select(p => new SparseProblem(WeightsProblem.ShardInvalid, p.Message, p.Tensor))];
            return null;
        }

        using (file)
        {
            var found = new List<SparseProblem>();
            var tensors = Names(file, found).Select(n => Read(file, n, found)).OfType<SparseTensor>().ToList();
            problems = [.. found];
            return problems.IsEmpty ? new(tensors) : null;
        }
    }

    private static List<string> Names(SafetensorsFile file, List<SparseProblem> found)
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var tensor in file.Tensors)
        {
            var suffix = new[] { Indices, Values, Steps, Size }.FirstOrDefault(s => tensor.Name.Length > s.Length && tensor.Name.EndsWith(s, StringComparison.Ordinal));
            if (suffix is null)
                found.Add(new(SparseProblem.Unpaired, $"{tensor.Name} is no part of a sparse delta.", tensor.Name));
            else
                names.Add(tensor.Name[..^suffix.Length]);
        }

        return [.. names];
    }

    private static SparseTensor? Read(SafetensorsFile file, string name, List<SparseProblem> found)
    {
        var (indices, steps, values) = (file.Find(name + Indices), file.Find(name + Steps), file.Find(name + Values));
        if (values is null || (indices is null) == (steps is null))
            return Refuse(SparseProblem.Unpaired, "does not have its values and one list of positions");
        if (ReadShape(file, name) is not { } shape)
            return Refuse(SparseProblem.ShapeInvalid, "has no shape, or one that is no list of positive numbers");
        if (Integers(file, indices ?? steps!) is not { } numbers)
            return Refuse(SparseProblem.IndicesInvalid, "has positions that are no integers");
        if (!values.Type.IsFactorType() || values.Shape.Length != 1 || values.ElementCount != numbers.Length)
            return Refuse(SparseProblem.ValuesInvalid, $"has values of {values.Type} {values.ShapeText} for {numbers.Length} positions");
        var entries = file.ReadDouble(values);
        if (!entries.All(double.IsFinite))
            return Refuse(SparseProblem.ValuesInvalid, "has values that are not finite");
        var elements = LinearIndex.Elements(shape.AsSpan());
        if (steps is not null && (numbers.Skip(1).Any(s => s <= 0) || !InRange(numbers, elements)))
            return Refuse(SparseProblem.IndicesInvalid, "has steps that do not lead upwards within its shape");
        if (steps is not null)
        {
            numbers = [.. LinearIndex.FromSteps(numbers).Select(i => LinearIndex.ToRowMajor(shape.AsSpan(), i))];
            Array.Sort(numbers, entries);
        }

        for (var i = 0; i < numbers.Length; i++)
        {
            if (numbers[i] < 0 || numbers[i] >= elements || (i > 0 && numbers[i] <= numbers[i - 1]))
                return Refuse(SparseProblem.IndicesInvalid, "has positions that are not ascending within its shape");
        }

        return new(name, shape, numbers, entries);

        SparseTensor? Refuse(string code, string reason)
        {
            found.Add(new(code, $"{name} {reason}.", name));
            return null;
        }
    }

    private static bool InRange(long[] steps, long elements)
    {
        Int128 sum = 0;
        foreach (var step in steps)
        {
            sum += step;
            if (sum < 0 || sum >= elements)
                return false;
        }

        return true;
    }

    private static ImmutableArray<long>? ReadShape(SafetensorsFile file, string name)
    {
        long[]? shape = null;
        if (file.Find(name + Size) is { } size)
            shape = Integers(file, size);
        else if (file.Header.Metadata.GetValueOrDefault(name + Shape) is { } text)
            shape = [.. text.Split(',').Select(d => long.TryParse(d, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1)];
        var valid = shape is { Length: > 0 and <= 8 } && shape.All(d => d > 0)
            && shape.Aggregate((Int128)1, (product, d) => product > int.MaxValue ? product : product * d) <= Array.MaxLength;
        return valid ? [.. shape!] : null;
    }

    private static long[]? Integers(SafetensorsFile file, TensorInfo tensor) => (tensor.Type, tensor.Shape.Length) switch
    {
        (TensorType.I64, 1) => MemoryMarshal.Cast<byte, long>(file.Bytes(tensor)).ToArray(),
        (TensorType.I32, 1) => [.. MemoryMarshal.Cast<byte, int>(file.Bytes(tensor)).ToArray().Select(i => (long)i)],
        _ => null,
    };
}

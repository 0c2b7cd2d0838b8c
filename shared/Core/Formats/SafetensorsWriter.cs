using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Marketplace.Core.Formats;

/// <summary>A tensor to be written. Its bytes are asked for when its turn comes, so that only one tensor is in memory at a time.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Bytes">Gives its data, little-endian, row after row.</param>
public sealed record TensorSource(string Name, TensorType Type, ImmutableArray<long> Shape, Func<ReadOnlyMemory<byte>> Bytes)
{
    /// <summary>A tensor of numbers, rounded to <paramref name="type"/> (nearest, ties to even) when written.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">F64, F32, F16 or BF16.</param>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="values">Gives the numbers, row after row.</param>
    /// <param name="onLoss">Told what the rounding lost.</param>
    public static TensorSource FromDoubles(
        string name, TensorType type, ImmutableArray<long> shape, Func<double[]> values, Action<ConversionLoss>? onLoss = null) =>
        new(name, type, shape, () =>
        {
            var numbers = values();
            var bytes = new byte[checked(numbers.Length * (type.Bits() / 8))];
            var loss = TensorConversion.FromDouble(type, numbers, bytes);
            onLoss?.Invoke(loss);
            return bytes;
        });

    /// <summary>A matrix, rounded to <paramref name="type"/> (nearest, ties to even) when written.</summary>
    public static TensorSource FromMatrix(string name, TensorType type, Matrix matrix, Action<ConversionLoss>? onLoss = null) =>
        FromDoubles(name, type, [matrix.Rows, matrix.Columns], () => matrix.Values, onLoss);
}

/// <summary>
/// Writes safetensors deterministically and exactly as the reference library does: tensors by type (widest alignment first), then by
/// name; metadata by key; the header padded with spaces to a multiple of 8. Equal tensors give equal bytes.
/// </summary>
public static class SafetensorsWriter
{
    /// <summary>The metadata that PEFT writes and its readers expect.</summary>
    public static ImmutableDictionary<string, string> PyTorch { get; } = ImmutableDictionary<string, string>.Empty.Add("format", "pt");

    /// <summary>Writes the tensors to a stream, which need not seek.</summary>
    /// <exception cref="ArgumentException">A name occurs twice or is <c>__metadata__</c>, a shape is invalid, or a tensor's data has the wrong length.</exception>
    public static void Write(Stream stream, IEnumerable<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var ordered = tensors.OrderByDescending(t => t.Type).ThenBy(t => t.Name, Utf8Comparer.Instance).ToList();
        stream.Write(Header(Lay(ordered), metadata ?? PyTorch));
        foreach (var tensor in ordered)
        {
            var bytes = tensor.Bytes();
            if (bytes.Length != ByteLength(tensor))
                throw new ArgumentException($"'{tensor.Name}' gave {bytes.Length} bytes instead of {ByteLength(tensor)}.", nameof(tensors));
            stream.Write(bytes.Span);
        }
    }

    /// <summary>Writes the tensors to a file, whole or not at all: a sibling is written and then renamed.</summary>
    public static void Save(string path, IEnumerable<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var sibling = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(sibling, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
                Write(stream, tensors, metadata);
            File.Move(sibling, path, overwrite: true);
        }
        finally
        {
            File.Delete(sibling);
        }
    }

    private static List<TensorInfo> Lay(List<TensorSource> tensors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        var laid = new List<TensorInfo>(tensors.Count);
        var begin = 0L;
        foreach (var tensor in tensors)
        {
            if (!names.Add(tensor.Name))
                throw new ArgumentException($"'{tensor.Name}' can't be written twice.", nameof(tensors));
            var info = new TensorInfo(tensor.Name, tensor.Type, tensor.Shape, begin, checked(begin + ByteLength(tensor)));
            if (SafetensorsLayout.CheckSize(info) is { } problem)
                throw new ArgumentException(problem.Message, nameof(tensors));
            laid.Add(info);
            begin = info.End;
        }

        return laid;
    }

    private static long ByteLength(TensorSource tensor) =>
        tensor.Shape.All(d => d >= 0)
            ? checked(tensor.Shape.Aggregate((long)tensor.Type.Bits(), (product, d) => checked(product * d)) / 8)
            : throw new ArgumentException($"'{tensor.Name}' has a negative dimension.", nameof(tensor));

    private static byte[] Header(List<TensorInfo> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var json = new StringBuilder("{");
        if (metadata.Count > 0)
        {
            json.Append("\"__metadata__\":{");
            foreach (var (key, value) in metadata.OrderBy(m => m.Key, Utf8Comparer.Instance))
                json.AppendJson(key).Append(':').AppendJson(value).Append(',');
            json[^1] = '}';
            json.Append(',');
        }

        foreach (var t in tensors)
        {
            json.AppendJson(t.Name).Append(CultureInfo.InvariantCulture,
                $":{{\"dtype\":\"{t.Type}\",\"shape\":[{string.Join(',', t.Shape)}],\"data_offsets\":[{t.Begin},{t.End}]}},");
        }

        json.Length -= json[^1] == ',' ? 1 : 0;
        json.Append('}');
        var length = Encoding.UTF8.GetByteCount(json.ToString());
        json.Append(' ', (8 - (length % 8)) % 8);
        var text = Encoding.UTF8.GetBytes(json.ToString());
        return [.. BitConverter.GetBytes((long)text.Length), .. text];
    }

    // As the reference writes it: only what JSON requires is escaped.
    private static StringBuilder AppendJson(this StringBuilder json, string text)
    {
        json.Append('"');
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => json.Append("\\\""),
                '\\' => json.Append("\\\\"),
                '\b' => json.Append("\\b"),
                '\f' => json.Append("\\f"),
                '\n' => json.Append("\\n"),
                '\r' => json.Append("\\r"),
                '\t' => json.Append("\\t"),
                < ' ' => json.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => json.Append(c),
            };
        }

        return json.Append('"');
    }

    // The reference compares names by their bytes, which differs from UTF-16 order beyond the basic plane.
    private sealed class Utf8Comparer : IComparer<string>
    {
        public static readonly Utf8Comparer Instance = new();

        public int Compare(string? x, string? y) => Encoding.UTF8.GetBytes(x!).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y!));
    }
}

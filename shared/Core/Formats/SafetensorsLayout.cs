namespace Marketplace.Core.Formats;

/// <summary>The rules on where tensors lie: each spans what its shape needs, and together they cover the data exactly.</summary>
internal static class SafetensorsLayout
{
    /// <summary>Checks one tensor by itself.</summary>
    public static SafetensorsProblem? CheckSize(TensorInfo tensor)
    {
        var overflow = new SafetensorsProblem(
            SafetensorsError.ShapeOverflow, tensor.Name, $"'{tensor.Name}' has the shape {tensor.ShapeText}, which overflows.");
        Int128 elements = 1;
        foreach (var dimension in tensor.Shape)
        {
            elements *= dimension; // both below 2^63
            if (elements > long.MaxValue)
                return overflow;
        }

        var bits = elements * tensor.Type.Bits();
        if (bits / 8 > long.MaxValue)
            return overflow;
        if (bits % 8 != 0)
            return new(SafetensorsError.MisalignedType, tensor.Name, $"'{tensor.Name}' does not fill whole bytes.");
        return bits / 8 == tensor.ByteLength
            ? null
            : new(
                SafetensorsError.SizeMismatch, tensor.Name,
                $"'{tensor.Name}' has {tensor.ByteLength} bytes; {tensor.Type} {tensor.ShapeText} needs {bits / 8}.");
    }

    /// <summary>Checks all together. With <paramref name="incomplete"/> some offsets are unknown and gaps say nothing.</summary>
    public static void Check(List<TensorInfo> tensors, long dataLength, bool incomplete, List<SafetensorsProblem> problems)
    {
        var end = 0L;
        foreach (var tensor in tensors.OrderBy(t => t.Begin).ThenBy(t => t.End))
        {
            if (tensor.Begin < end)
                problems.Add(new(SafetensorsError.Overlap, tensor.Name, $"'{tensor.Name}' begins at {tensor.Begin}, before {end}, where its neighbour ends."));
            else if (tensor.Begin > end && !incomplete)
                problems.Add(new(SafetensorsError.Hole, tensor.Name, $"The bytes {end} to {tensor.Begin} before '{tensor.Name}' belong to no tensor."));
            if (tensor.End > dataLength)
                problems.Add(new(SafetensorsError.Truncated, tensor.Name, $"'{tensor.Name}' ends at {tensor.End}, but the data has {dataLength} bytes."));
            end = Math.Max(end, tensor.End);
        }

        if (end < dataLength && !incomplete)
            problems.Add(new(SafetensorsError.TrailingBytes, null, $"{dataLength - end} bytes after the last tensor belong to none."));
    }
}

using System.Collections.Immutable;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Extraction;

/// <summary>Writes a whole model like another one, shard by shard, with other values: same files, same names, same element types, same index.</summary>
public static class ModelCopy
{
    /// <summary>Writes the copy. Its folder keeps nothing if a problem turns up.</summary>
    /// <param name="model">The model whose layout and small files (configuration, tokenizer) are copied.</param>
    /// <param name="folder">Where to; created if absent, and it must hold no weights yet.</param>
    /// <param name="change">New values of a tensor in the order stored; null for a tensor that stays as it is. Called for one tensor at a time.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellation">Looked at between tensors.</param>
    /// <returns>Every reason why not.</returns>
    /// <exception cref="IOException">A file can't be read or written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static ImmutableArray<ExtractionProblem> Write(
        BaseWeights model, string folder, Func<TensorInfo, double[]?> change, Action<ExtractionProgress>? progress = null, CancellationToken cancellation = default)
    {
        Directory.CreateDirectory(folder);
        if (Directory.EnumerateFiles(folder, "*.safetensors*").Any())
            return [new(ExtractionProblem.OutputExists, $"'{folder}' already holds weights.")];
        var large = model.Tensors.Where(t => t.ByteLength > int.MaxValue || t.ElementCount > Array.MaxLength)
            .Select(t => new ExtractionProblem(ExtractionProblem.TensorTooLarge, $"{t.Name} has {t.ByteLength} bytes, too many to be written at once.", t.Name));
        var found = new List<ExtractionProblem>(large);
        if (found.Count > 0)
            return [.. found];
        var written = new List<string>();
        var done = 0;
        try
        {
            foreach (var shard in model.Tensors.GroupBy(model.FileOf, StringComparer.Ordinal))
            {
                written.Add(Path.Combine(folder, shard.Key));
                SafetensorsWriter.Save(written[^1], shard.Select(t => new TensorSource(t.Name, t.Type, t.Shape, () => Bytes(t))));
            }

            if (model.Files.Count() > 1 || model.Files.Single() != "model.safetensors")
            {
                written.Add(Path.Combine(folder, WeightsIndex.FileName));
                File.WriteAllBytes(written[^1], WeightsIndex.Write(model.Tensors.Select(t => (t.Name, model.FileOf(t))), model.Tensors.Sum(t => t.ByteLength)));
            }

            if (found.Count == 0)
                CopySmallFiles(model.Folder, folder);
        }
        catch
        {
            written.ForEach(File.Delete);
            throw;
        }

        if (found.Count > 0)
            written.ForEach(File.Delete);
        return [.. found];

        ReadOnlyMemory<byte> Bytes(TensorInfo tensor)
        {
            cancellation.ThrowIfCancellationRequested();
            var bytes = change(tensor) is { } values ? Rounded(tensor, values) : model.ReadBytes(tensor);
            progress?.Invoke(new(++done, model.Tensors.Length, tensor.Name));
            return bytes;
        }

        byte[] Rounded(TensorInfo tensor, double[] values)
        {
            var bytes = new byte[tensor.ByteLength];
            if (TensorConversion.FromDouble(tensor.Type, values, bytes) is { Overflowed: > 0 } loss)
                found.Add(new(ExtractionProblem.Overflow, $"{loss.Overflowed} values of {tensor.Name} are beyond the range of {tensor.Type}.", tensor.Name));
            else if (values.Any(v => !double.IsFinite(v)))
                found.Add(new(ExtractionProblem.NotFinite, $"{tensor.Name} would have values that are not finite.", tensor.Name));
            return bytes;
        }
    }

    // Configuration and tokenizer, by their endings; never code and never an index of other weights.
    private static void CopySmallFiles(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from))
        {
            var name = Path.GetFileName(file);
            var small = Path.GetExtension(name) is ".json" or ".txt" or ".jinja" || name.EndsWith("tokenizer.model", StringComparison.Ordinal);
            if (small && !name.EndsWith(".index.json", StringComparison.Ordinal))
                File.Copy(file, Path.Combine(to, name), overwrite: true);
        }
    }
}

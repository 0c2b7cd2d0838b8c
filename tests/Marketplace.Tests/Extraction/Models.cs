using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Extraction;

/// <summary>Small models: those of the fixtures, and changed copies of them.</summary>
internal static class Models
{
    public static string Base(string name) => Path.Combine(Fixtures.Root, "base", name);

    public static BaseWeights Open(string folder)
    {
        Assert.True(BaseWeights.TryOpen(folder, out var weights, out var problems), string.Join('\n', problems));
        return weights;
    }

    public static BaseWeights OpenBase(string name) => Open(Base(name));

    /// <summary>Writes a model with some of its tensors changed, in float32 or as given.</summary>
    /// <param name="weights">The model.</param>
    /// <param name="folder">Where to.</param>
    /// <param name="change">The new values; null leaves a tensor as it is.</param>
    /// <param name="rename">New names; null drops a tensor.</param>
    /// <param name="type">Type of all tensors; their own if null.</param>
    public static void Write(
        BaseWeights weights, string folder, Func<TensorInfo, double[], double[]?>? change = null, Func<string, string?>? rename = null, TensorType? type = null)
    {
        Directory.CreateDirectory(folder);
        SafetensorsWriter.Save(Path.Combine(folder, "model.safetensors"), weights.Tensors
            .Select(t => (Tensor: t, Name: rename is null ? t.Name : rename(t.Name)))
            .Where(t => t.Name is not null)
            .Select(t => TensorSource.FromDoubles(t.Name!, type ?? t.Tensor.Type, t.Tensor.Shape, () => change?.Invoke(t.Tensor, weights.Read(t.Tensor)) ?? weights.Read(t.Tensor))));
        File.Copy(Path.Combine(weights.Folder, "config.json"), Path.Combine(folder, "config.json"));
    }

    /// <summary>Splits a model into shards with an index, tensors dealt out in turn.</summary>
    public static void WriteSharded(BaseWeights weights, string folder, int shards)
    {
        Directory.CreateDirectory(folder);
        var files = weights.Tensors.Select((t, i) => (Tensor: t, File: $"model-{(i % shards) + 1:00000}-of-{shards:00000}.safetensors")).ToList();
        foreach (var file in files.GroupBy(f => f.File))
            SafetensorsWriter.Save(Path.Combine(folder, file.Key), file.Select(f => new TensorSource(f.Tensor.Name, f.Tensor.Type, f.Tensor.Shape, () => weights.ReadBytes(f.Tensor))));
        var map = string.Join(',', files.Select(f => $"\"{f.Tensor.Name}\":\"{f.File}\""));
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), "{\"metadata\":{},\"weight_map\":{" + map + "}}");
        File.Copy(Path.Combine(weights.Folder, "config.json"), Path.Combine(folder, "config.json"));
    }

    /// <summary>W + ΔW in the order the tensor is stored in.</summary>
    public static double[] Add(double[] stored, LowRankDelta delta, bool transposed)
    {
        var dense = Dense.Of(delta);
        double[] result = [.. stored];
        for (var i = 0; i < delta.Out; i++)
            for (var j = 0; j < delta.In; j++)
                result[transposed ? (j * delta.Out) + i : (i * delta.In) + j] += dense[i, j];
        return result;
    }

    /// <summary>A tensor of the model as ΔW is oriented.</summary>
    public static double[,] Weight(double[] stored, int rows, int columns, bool transposed)
    {
        var result = new double[rows, columns];
        for (var i = 0; i < rows; i++)
            for (var j = 0; j < columns; j++)
                result[i, j] = stored[transposed ? (j * rows) + i : (i * columns) + j];
        return result;
    }
}

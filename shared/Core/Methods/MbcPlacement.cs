using System.Collections.Immutable;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Methods;

/// <summary>Where an adapter belongs in a clustering made without it.</summary>
/// <param name="Cluster">Index of the cluster.</param>
/// <param name="Cosine">Its cosine with the cluster's centre.</param>
/// <param name="IsOutlier">Whether it is so far from there that it belongs nowhere: the cosine is below half of what the cluster's members have on average.</param>
public sealed record Placement(int Cluster, double Cosine, bool IsOutlier);

/// <summary>
/// What of a clustering suffices to place one more adapter by its sketch: the directions that were kept and the centroids in the space of similarity rows, where k-means
/// decides; and the centres, the means of the members' unit sketches, which are comparable from one clustering to another.
/// </summary>
public sealed class MbcPlacement
{
    private readonly Matrix basis; // V (q, d)
    private readonly Matrix root; // M (q, ·)
    private readonly Matrix centroids; // (k, ·)
    private readonly Matrix centres; // (k, d), unit rows
    private readonly double[] typical; // (k): the members' mean cosine with their centre

    private MbcPlacement(Matrix basis, Matrix root, Matrix centroids, Matrix centres, double[] typical, ImmutableArray<string> names, string? shape) =>
        (this.basis, this.root, this.centroids, this.centres, this.typical, Names, Shape) = (basis, root, centroids, centres, typical, names, shape);

    /// <summary>Names of the clusters; none if they were not given any.</summary>
    public ImmutableArray<string> Names { get; }

    /// <summary>The shape that an adapter must have to be compared at all, where factors are compared entry by entry; see <see cref="Analysis.AdapterSketch.Shape"/>.</summary>
    public string? Shape { get; }

    /// <summary>Number of clusters.</summary>
    public int Clusters => centroids.Rows;

    /// <summary>Learns from a clustering's members.</summary>
    /// <param name="sketches">Their sketches (n, d), as given to <see cref="MbcEmbedding.OfSketches"/>.</param>
    /// <param name="library">What that made of them.</param>
    /// <param name="labels">The cluster of each, from whatever similarities.</param>
    /// <param name="names">Names of the clusters.</param>
    /// <param name="shape">See <see cref="Shape"/>.</param>
    public static MbcPlacement Fit(Matrix sketches, MbcEmbedding library, IReadOnlyList<int> labels, IEnumerable<string>? names = null, string? shape = null)
    {
        if (library is not { Basis: { } basis, Root: { } root })
            throw new ArgumentException("Adapters are placed by their sketches, and this library was not laid out from sketches.", nameof(library));
        var k = labels.Max() + 1;
        var (centroids, centres) = (new Matrix(k, library.Points.Columns), new Matrix(k, sketches.Columns));
        var sizes = new int[k];
        var unit = new double[sketches.Columns];
        for (var i = 0; i < labels.Count; i++)
        {
            sizes[labels[i]]++;
            MatrixMath.AddScaled(library.Points.Row(i), 1, centroids.Row(labels[i]));
            MatrixMath.AddScaled(Unit(sketches.Row(i), unit), 1, centres.Row(labels[i]));
        }

        for (var c = 0; c < k; c++)
            TensorPrimitives.Divide(centroids.Row(c), sizes[c], centroids.Row(c));
        MbcEmbedding.Normalise(centres);
        var typical = new double[k];
        for (var i = 0; i < labels.Count; i++)
            typical[labels[i]] += TensorPrimitives.Dot<double>(Unit(sketches.Row(i), unit), centres.Row(labels[i])) / sizes[labels[i]];
        return new(basis, root, centroids, centres, typical, [.. names ?? []], shape);
    }

    /// <summary>Places one more adapter.</summary>
    /// <param name="sketch">Its sketch (d).</param>
    public Placement Place(ReadOnlySpan<double> sketch)
    {
        var point = MbcEmbedding.Place(sketch, basis, root);
        var (cluster, least) = (0, double.PositiveInfinity);
        for (var c = 0; c < Clusters; c++)
        {
            var distance = TensorPrimitives.Distance<double>(point, centroids.Row(c));
            if (distance < least)
                (cluster, least) = (c, distance);
        }

        var cosine = CentreCosine(sketch, cluster);
        return new(cluster, cosine, cosine < typical[cluster] / 2);
    }

    /// <summary>The cosine of a sketch with a cluster's centre; 0 for a sketch of zeros.</summary>
    public double CentreCosine(ReadOnlySpan<double> sketch, int cluster)
    {
        var norm = TensorPrimitives.Norm(sketch);
        return norm == 0 ? 0 : Math.Clamp(TensorPrimitives.Dot(sketch, centres.Row(cluster)) / norm, -1, 1);
    }

    /// <summary>A safetensors file in float32: a placement needs no more, and half a megabyte is enough for a hundred clusters.</summary>
    public byte[] ToBytes()
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(
            stream,
            [Tensor("basis", basis), Tensor("root", root), Tensor("centroids", centroids), Tensor("centres", centres), Tensor("typical", new Matrix(1, typical.Length, typical))],
            SafetensorsWriter.PyTorch.Add("names", string.Join(' ', Names)).Add("shape", Shape ?? ""));
        return stream.ToArray();
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The bytes are something else.</exception>
    public static MbcPlacement Parse(ReadOnlyMemory<byte> bytes)
    {
        using var file = SafetensorsFile.Read(bytes);
        return new(Read("basis"), Read("root"), Read("centroids"), Read("centres"), Read("typical").Values,
            [.. Text("names").Split(' ', StringSplitOptions.RemoveEmptyEntries)], Text("shape") is { Length: > 0 } shape ? shape : null);

        string Text(string name) => file.Header.Metadata.GetValueOrDefault(name, "");

        Matrix Read(string name)
        {
            var tensor = file.Find(name) ?? throw new InvalidDataException($"A placement without '{name}'.");
            var values = MemoryMarshal.Cast<byte, float>(file.Bytes(tensor));
            var matrix = new Matrix((int)tensor.Shape[0], (int)tensor.Shape[1]);
            TensorPrimitives.ConvertChecked<float, double>(values, matrix.Values);
            return matrix;
        }
    }

    private static TensorSource Tensor(string name, Matrix matrix) => TensorSource.FromDoubles(name, TensorType.F32, [matrix.Rows, matrix.Columns], () => matrix.Values);

    private static ReadOnlySpan<double> Unit(ReadOnlySpan<double> sketch, double[] buffer)
    {
        var norm = TensorPrimitives.Norm(sketch);
        if (norm == 0)
            sketch.CopyTo(buffer);
        else
            TensorPrimitives.Divide(sketch, norm, buffer);
        return buffer;
    }
}

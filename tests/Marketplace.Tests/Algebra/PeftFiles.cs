using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;

namespace Marketplace.Tests.Algebra;

/// <summary>Adapters and recorded tensors under tests/fixtures.</summary>
internal static class PeftFiles
{
    /// <summary>Reads a directory that PEFT wrote.</summary>
    public static Adapter Load(params string[] path) => AdapterReader.Open(Path.Combine([Fixtures.Root, .. path]));

    public static SafetensorsFile Open(params string[] path) => SafetensorsFile.Open(Path.Combine([Fixtures.Root, .. path]));

    /// <summary>A tensor as a matrix: its last dimension gives the columns.</summary>
    public static Matrix Matrix(SafetensorsFile file, string name)
    {
        var tensor = file.Find(name) ?? throw new KeyNotFoundException(name);
        var columns = (int)tensor.Shape[^1];
        return new((int)(tensor.ElementCount / columns), columns, file.ReadDouble(tensor));
    }

    public static double[,] Dense(SafetensorsFile file, string name)
    {
        var matrix = Matrix(file, name);
        var result = new double[matrix.Rows, matrix.Columns];
        Buffer.BlockCopy(matrix.Values, 0, result, 0, sizeof(double) * matrix.Values.Length);
        return result;
    }
}

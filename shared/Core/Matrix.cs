namespace Marketplace.Core;

/// <summary>A dense float64 matrix in row-major order: entry (i, j) is <c>Values[i * Columns + j]</c>.</summary>
public sealed class Matrix
{
    /// <summary>A zero matrix.</summary>
    public Matrix(int rows, int columns)
        : this(rows, columns, new double[checked(rows * columns)])
    {
    }

    /// <summary>Wraps <paramref name="values"/> without copying them.</summary>
    /// <exception cref="ArgumentException">The number of values is not rows × columns.</exception>
    public Matrix(int rows, int columns, double[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        if (values.Length != checked(rows * columns))
            throw new ArgumentException($"{values.Length} values do not fill a {rows}×{columns} matrix.", nameof(values));
        (Rows, Columns, Values) = (rows, columns, values);
    }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Number of columns.</summary>
    public int Columns { get; }

    /// <summary>The entries, row after row; the matrix's own storage.</summary>
    public double[] Values { get; }

    /// <summary>Entry (row, column).</summary>
    public double this[int row, int column]
    {
        get => Values[(row * Columns) + column];
        set => Values[(row * Columns) + column] = value;
    }

    /// <summary>One row, as a view.</summary>
    public Span<double> Row(int row) => Values.AsSpan(row * Columns, Columns);
}

namespace Marketplace.Core.Extraction;

/// <summary>Positions in a tensor as single numbers: row-major here (the last index runs fastest), column-major in the files of LT-SFT.</summary>
public static class LinearIndex
{
    /// <summary>
    /// From column-major to row-major. For shape (3, 4, 2) the element (1, 2, 1) is 1 + 3·(2 + 4·1) = 19 in column-major and (1·4 + 2)·2 + 1 = 13 in row-major order.
    /// </summary>
    public static long ToRowMajor(ReadOnlySpan<long> shape, long columnMajor)
    {
        var stride = Elements(shape);
        var result = 0L;
        foreach (var dimension in shape)
        {
            stride /= dimension;
            result += columnMajor % dimension * stride;
            columnMajor /= dimension;
        }

        return result;
    }

    /// <summary>From row-major to column-major: the inverse of <see cref="ToRowMajor"/>.</summary>
    public static long ToColumnMajor(ReadOnlySpan<long> shape, long rowMajor)
    {
        var stride = Elements(shape);
        var result = 0L;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            stride /= shape[i];
            result += rowMajor % shape[i] * stride;
            rowMajor /= shape[i];
        }

        return result;
    }

    /// <summary>Running sums: the first index and the steps between the following ones become indices. In 64 bits, where the original decoder has 32.</summary>
    public static long[] FromSteps(ReadOnlySpan<long> steps)
    {
        var indices = steps.ToArray();
        for (var i = 1; i < indices.Length; i++)
            indices[i] = checked(indices[i] + indices[i - 1]);
        return indices;
    }

    /// <summary>The inverse of <see cref="FromSteps"/>.</summary>
    public static long[] ToSteps(ReadOnlySpan<long> indices)
    {
        var steps = indices.ToArray();
        for (var i = steps.Length - 1; i > 0; i--)
            steps[i] -= steps[i - 1];
        return steps;
    }

    /// <summary>Number of elements of a tensor; 1 for a scalar.</summary>
    public static long Elements(ReadOnlySpan<long> shape)
    {
        var product = 1L;
        foreach (var dimension in shape)
            product = checked(product * dimension);
        return product;
    }
}

namespace Marketplace.Core.Algebra;

/// <summary>The assignment problem: each row gets a column of its own so that the sum of the weights is largest (Hungarian method with potentials, O(rows²·columns)).</summary>
public static class Assignment
{
    /// <summary>The column of each row; −1 for rows left over where there are fewer columns. Equal weights give an equal answer on every machine.</summary>
    /// <param name="weights">Weights (rows, columns), finite.</param>
    public static int[] Maximum(Matrix weights)
    {
        if (weights.Rows > weights.Columns)
        {
            var transposed = Maximum(MatrixMath.Transpose(weights));
            var rows = Enumerable.Repeat(-1, weights.Rows).ToArray();
            for (var column = 0; column < transposed.Length; column++)
                rows[transposed[column]] = column;
            return rows;
        }

        // Index 0 of both sides is a stand-in: rows and columns count from 1.
        var (n, m) = (weights.Rows, weights.Columns);
        var (rowPotential, columnPotential) = (new double[n + 1], new double[m + 1]);
        var (rowOf, cameFrom) = (new int[m + 1], new int[m + 1]);
        for (var row = 1; row <= n; row++)
        {
            rowOf[0] = row;
            var slack = Enumerable.Repeat(double.PositiveInfinity, m + 1).ToArray();
            var visited = new bool[m + 1];
            var column = 0;
            do
            {
                visited[column] = true;
                var (at, delta, next) = (rowOf[column], double.PositiveInfinity, 0);
                for (var j = 1; j <= m; j++)
                {
                    if (visited[j])
                        continue;
                    var cost = -weights[at - 1, j - 1] - rowPotential[at] - columnPotential[j];
                    if (cost < slack[j])
                        (slack[j], cameFrom[j]) = (cost, column);
                    if (slack[j] < delta)
                        (delta, next) = (slack[j], j);
                }

                for (var j = 0; j <= m; j++)
                {
                    if (visited[j])
                    {
                        rowPotential[rowOf[j]] += delta;
                        columnPotential[j] -= delta;
                    }
                    else
                    {
                        slack[j] -= delta;
                    }
                }

                column = next;
            }
            while (rowOf[column] != 0);
            for (; column != 0; column = cameFrom[column])
                rowOf[column] = rowOf[cameFrom[column]];
        }

        var result = new int[n];
        for (var j = 1; j <= m; j++)
        {
            if (rowOf[j] > 0)
                result[rowOf[j] - 1] = j - 1;
        }

        return result;
    }
}

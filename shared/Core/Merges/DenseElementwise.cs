namespace Marketplace.Core.Merges;

/// <summary>Element-wise merges of dense matrices, in float64: the reference, and what basis methods use on their small matrices.</summary>
public static class DenseElementwise
{
    /// <summary>Combines matrices of one shape as <paramref name="merge"/> says.</summary>
    /// <param name="merge">What is done.</param>
    /// <param name="values">One matrix per input; not changed.</param>
    /// <param name="inputs">Weights, densities and streams of the inputs; their deltas are not looked at.</param>
    public static Matrix Run(ElementwiseMerge merge, IReadOnlyList<Matrix> values, IReadOnlyList<ElementwiseInput> inputs) =>
        throw new NotSupportedException($"{merge} {values.Count} {inputs.Count}");
}

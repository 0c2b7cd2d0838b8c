using System.Collections.Immutable;
using Marketplace.Core.Algebra;

namespace Marketplace.Core.Merges.Basis;

/// <summary>
/// The method that works inside a shared basis, on the small matrices that stand for the inputs there: a plain sum or any element-wise method. Its
/// parameters are given as the outer method's own, and have the defaults that they have outside.
/// </summary>
internal static class InsideMethod
{
    private const string Name = "inside";

    // Thresholds over all modules are thresholds of ΔW's entries, which have no meaning in another basis.
    private const string Scope = "scope";

    private static readonly ImmutableArray<MergeMethod> All =
        [.. LinearMethods.All.Where(m => m.Name is "linear" or "task_arithmetic"), .. ElementwiseMethods.All];

    /// <summary>Which method, and the parameters of all of them.</summary>
    public static ImmutableArray<MethodParameter> Parameters { get; } =
    [
        MethodParameter.OfChoice(Name, "The method that works on the small matrices", [.. All.Select(m => m.Name)]) with { Default = RecipeValue.Of("ties") },
        .. All.SelectMany(m => m.Parameters).Where(p => p.Name != Scope).GroupBy(p => p.Name).Select(Unite),
    ];

    /// <summary>Why the method inside can't use these weights or parameters; null if it can.</summary>
    public static string? Refuse(ImmutableArray<double> weights, ParameterValues parameters)
    {
        var method = Of(parameters);
        foreach (var parameter in Parameters.Skip(1).Where(p => parameters.Given(p.Name) is not null))
        {
            if (method.Parameter(parameter.Name) is not { } own)
                return $"{method.Name}, which works inside, has no parameter '{parameter.Name}'.";
            if (own.Refuse(parameters.Given(own.Name)!) is { } reason)
                return $"{method.Name}, which works inside: {reason}";
        }

        return !method.Weighted && weights.Any(w => w != 1) ? $"{method.Name}, which works inside, has no weights." : method.Refuse(weights, parameters.For(method));
    }

    /// <summary>Merges matrices of one shape that stand for the inputs; λ included.</summary>
    /// <param name="step">The module's merge by the outer method.</param>
    /// <param name="sources">The inputs that change the module; all others are zeros, which count where something is divided by all weights.</param>
    /// <param name="shape">The shape of the matrices.</param>
    /// <param name="matrix">The matrix of an input.</param>
    public static Matrix Merge(MergeStep step, ImmutableArray<BasisSource> sources, (int Rows, int Columns) shape, Func<BasisSource, Matrix> matrix)
    {
        var method = Of(step.Parameters);
        var parameters = step.Parameters.For(method);
        Matrix[] values =
        [
            .. step.Inputs.Select(input => sources.FirstOrDefault(s => ReferenceEquals(s.Input, input)) is { } source ? matrix(source) : new(shape.Rows, shape.Columns)),
        ];
        if (method.Class != MethodClass.Elementwise)
        {
            var weights = step.Weights();
            var factor = parameters.Number("lambda") / (parameters.Flag("normalize") ? weights.Sum() : 1);
            var sum = new Matrix(shape.Rows, shape.Columns);
            for (var e = 0; e < values.Length; e++)
                MatrixMath.AddScaled(values[e].Values, factor * weights[e], sum.Values);
            return sum;
        }

        ElementwiseInput[] inputs =
        [
            .. step.Inputs.Zip(step.Deltas(), (input, delta) =>
                ElementwiseMethods.Input(method.Name, input with { Parameters = input.Parameters.For(method) }, delta, step)),
        ];
        step.Cancellation.ThrowIfCancellationRequested();
        return DenseElementwise.Run(ElementwiseMethods.Specification(method.Name, parameters), values, inputs);
    }

    private static MergeMethod Of(ParameterValues parameters) => All.First(m => m.Name == parameters.Choice(Name));

    // One parameter for those of one name: it takes what any of them takes, and leaves the default to the method.
    private static MethodParameter Unite(IGrouping<string, MethodParameter> named) => named.First() with
    {
        Summary = named.Select(p => p.Summary).Distinct().Count() == 1
            ? named.First().Summary
            : $"As the method inside has it: {string.Join(", ", All.Where(m => m.Parameter(named.Key) is not null).Select(m => m.Name))}",
        Default = named.Count() == All.Length && named.Select(p => p.Default).Distinct().Count() == 1 ? named.First().Default : null,
        Min = named.Min(p => p.Min),
        AboveMin = named.All(p => p.AboveMin),
        Max = named.Max(p => p.Max),
        BelowMax = named.All(p => p.BelowMax),
        Choices = [.. named.SelectMany(p => p.Choices).Distinct()],
        PerInput = named.Any(p => p.PerInput),
    };
}

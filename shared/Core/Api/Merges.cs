using Marketplace.Core.Merges;

namespace Marketplace.Core.Api;

/// <summary>A merge method, as the catalogue shows it.</summary>
/// <param name="Name">As recipes spell it.</param>
/// <param name="Class">linear, span, basis, elementwise or factorwise: what it needs of ΔW.</param>
/// <param name="Summary">Formula or idea, with the source.</param>
/// <param name="MinInputs">Fewest inputs.</param>
/// <param name="MaxInputs">Most inputs.</param>
/// <param name="Weighted">Whether inputs may have weights.</param>
/// <param name="DefaultRank">lossless, asIs or largestInput: the rank of the result where a recipe says none.</param>
/// <param name="Parameters">What else a recipe may say.</param>
public sealed record MergeMethodView(
    string Name, string Class, string Summary, int MinInputs, int MaxInputs, bool Weighted, string DefaultRank, IReadOnlyList<MethodParameterView> Parameters)
{
    /// <summary>The view of a method.</summary>
    public static MergeMethodView Of(MergeMethod method) => new(
        method.Name, ApiJson.Name(method.Class), method.Summary, method.MinInputs, method.MaxInputs, method.Weighted, ApiJson.Name(method.Rank),
        [.. method.Parameters.Select(MethodParameterView.Of)]);
}

/// <summary>A parameter of a merge method.</summary>
/// <param name="Name">As recipes spell it.</param>
/// <param name="Values">What it may be, in words.</param>
/// <param name="Default">Its value if a recipe says nothing; absent where the summary tells.</param>
/// <param name="PerInput">Whether an input may have a value of its own.</param>
/// <param name="Summary">What it does.</param>
public sealed record MethodParameterView(string Name, string Values, RecipeValue? Default, bool PerInput, string Summary)
{
    /// <summary>The view of a parameter.</summary>
    public static MethodParameterView Of(MethodParameter parameter) => new(parameter.Name, parameter.Values, parameter.Default, parameter.PerInput, parameter.Summary);
}

/// <summary>What a merge would do: POST /api/v1/merges/plan.</summary>
/// <param name="RecipeDigest">SHA-256 of the computation in canonical form.</param>
/// <param name="BaseModel">The one base model of all inputs.</param>
/// <param name="Inputs">The versions that would go in.</param>
/// <param name="Steps">The merges in the order in which they are computed; equal parts of a recipe are one step.</param>
/// <param name="Modules">Number of modules of the result.</param>
/// <param name="Rank">Largest rank that a module of the result can have.</param>
/// <param name="Flops">Floating-point operations, estimated.</param>
/// <param name="MemoryBytes">What the computation of one module takes, at most; several are computed side by side as the kernels' memory allows.</param>
/// <param name="ResultBytes">Largest size of the result's weights.</param>
/// <param name="NotMerged">Tensors of the inputs that have no place in the result, as <c>adapter: tensor</c>.</param>
/// <param name="Notes">What else is worth knowing, in words.</param>
public sealed record MergePlanView(
    string RecipeDigest, string BaseModel, IReadOnlyList<VersionReference> Inputs, IReadOnlyList<MergeStepView> Steps, int Modules, int Rank,
    double Flops, long MemoryBytes, long ResultBytes, IReadOnlyList<string> NotMerged, IReadOnlyList<string> Notes);

/// <summary>One merge of a plan.</summary>
/// <param name="Place">Where the recipe says it, as a JSON path.</param>
/// <param name="Method">The method.</param>
/// <param name="Class">What it needs of ΔW.</param>
/// <param name="Path">How it is computed, in words.</param>
/// <param name="Inputs">What goes in: adapters by name, steps as <c>step 1</c>.</param>
/// <param name="Flops">Floating-point operations, estimated.</param>
public sealed record MergeStepView(string Place, string Method, string Class, string Path, IReadOnlyList<string> Inputs, double Flops);

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Numerics.Tensors;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;

namespace Marketplace.Core.Extraction;

/// <summary>How the change of one tensor lies to what happened between two versions of a base.</summary>
/// <param name="Tensor">Its name.</param>
/// <param name="RelativeChange">|tuned − old| ∕ |new|, the size of what is carried over; null where the new tensor is zero.</param>
/// <param name="BaseCosine">Cosine of the old and the new tensor: near 1 where the change still means what it meant.</param>
/// <param name="BaseChange">|new − old| ∕ |old|; null where the old tensor is zero.</param>
public sealed record TransferredTensor(string Tensor, double? RelativeChange, double BaseCosine, double? BaseChange);

/// <summary>What was carried over.</summary>
/// <param name="Tensors">One entry for each tensor that was, in ordinal order.</param>
/// <param name="LeftOut">What tuning changed and the result lacks, in ordinal order.</param>
public sealed record TransferReport(ImmutableArray<TransferredTensor> Tensors, ImmutableArray<LeftOut> LeftOut);

/// <summary>
/// Fine-tuning carried over to a new version of a base: the difference that tuning made to the old one, W_tuned − W_old, is added to the new one
/// (arXiv 2503.20110). As a LoRA the difference is one that was extracted from the old pair; as whole weights it is W_new + (W_tuned − W_old).
/// </summary>
public static class FineTuningTransfer
{
    /// <summary>As a LoRA for the new base: refused if a module that changed is missing there or has another shape.</summary>
    /// <param name="old">The base that was tuned.</param>
    /// <param name="tuned">The tuned model.</param>
    /// <param name="renewed">The new version of the base.</param>
    /// <param name="options">How to extract; the name in it is that of the new base.</param>
    /// <param name="export">The adapter.</param>
    /// <param name="extraction">What was extracted.</param>
    /// <param name="report">How it lies to the new base.</param>
    /// <param name="problems">Every reason why not, module by module.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellation">Looked at between tensors.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static bool TryExtract(
        BaseWeights old, BaseWeights tuned, BaseWeights renewed, ExtractionOptions options,
        [NotNullWhen(true)] out ServingExport? export, [NotNullWhen(true)] out ExtractionReport? extraction, [NotNullWhen(true)] out TransferReport? report,
        out ImmutableArray<ExtractionProblem> problems, Action<ExtractionProgress>? progress = null, CancellationToken cancellation = default)
    {
        (export, extraction, report) = (null, null, null);
        var changed = WeightPairs.Of(old, tuned).Pairs
            .Where(p => LoraExtraction.ModuleOf(p, old, options.IncludeEmbeddings, out _) is not null && WeightDifference.Differs(old, tuned, p))
            .ToDictionary(p => ModelNaming.ModuleOf(p.Name)!, StringComparer.Ordinal);
        problems = [.. changed.Values.Select(p => Unfit(p, renewed, IsTurned(p, old, renewed))).OfType<ExtractionProblem>()];
        if (!problems.IsEmpty || !LoraExtraction.TryRun(old, tuned, options, out export, out extraction, out problems, progress, cancellation))
            return false;
        report = new([.. extraction.Modules.Select(m => Compare(old, renewed, changed[m.Module], m.Norm))], extraction.LeftOut);
        return true;
    }

    /// <summary>
    /// As whole weights, in the files and element types of the new base. Every tensor that tuning changed is carried over: norms, biases and embeddings, too.
    /// </summary>
    /// <param name="old">The base that was tuned.</param>
    /// <param name="tuned">The tuned model.</param>
    /// <param name="renewed">The new version of the base.</param>
    /// <param name="folder">Where the model is written.</param>
    /// <param name="report">What was carried over.</param>
    /// <param name="problems">Every reason why not.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellation">Looked at between tensors.</param>
    /// <exception cref="IOException">A file can't be read or written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static bool TryWrite(
        BaseWeights old, BaseWeights tuned, BaseWeights renewed, string folder, [NotNullWhen(true)] out TransferReport? report,
        out ImmutableArray<ExtractionProblem> problems, Action<ExtractionProgress>? progress = null, CancellationToken cancellation = default)
    {
        report = null;
        var matched = WeightPairs.Of(old, tuned);
        var changed = matched.Pairs.Where(p => WeightDifference.Differs(old, tuned, p)).ToList();
        problems = [.. changed.Select(p => Unfit(p, renewed, IsTurned(p, old, renewed))).OfType<ExtractionProblem>()];
        if (problems.IsEmpty && changed.Count == 0)
            problems = [new(ExtractionProblem.NothingChanged, "The tuned model does not differ from the old base.")];
        if (!problems.IsEmpty)
            return false;
        var targets = changed.GroupBy(p => renewed.Find(p.Name)!.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.ToList(), StringComparer.Ordinal);
        problems = [.. targets.Where(t => t.Value.Count > 1).Select(t => new ExtractionProblem(
            ExtractionProblem.NewBaseMissing, $"{string.Join(" and ", t.Value.Select(p => p.Name))} changed apart, but are one tensor in the new base.", t.Key))];
        if (!problems.IsEmpty)
            return false;
        var carried = new List<TransferredTensor>();
        problems = ModelCopy.Write(renewed, folder, Sum, progress, cancellation);
        if (!problems.IsEmpty)
            return false;
        report = new([.. carried.OrderBy(c => c.Tensor, StringComparer.Ordinal)], matched.Unmatched);
        return true;

        double[]? Sum(TensorInfo tensor)
        {
            if (!targets.TryGetValue(tensor.Name, out var pairs))
                return null;
            var pair = pairs[0];
            var values = WeightDifference.Values(old, pair.Base, tuned, pair.Tuned, out _);
            carried.Add(Compare(old, renewed, pair, TensorPrimitives.Norm<double>(values)));
            TensorPrimitives.Add<double>(values, renewed.Read(tensor), values);
            return values;
        }
    }

    private static bool IsTurned(WeightPair pair, BaseWeights old, BaseWeights renewed) =>
        ModelNaming.ModuleOf(pair.Name) is { } module && old.IsConv1D(module) != renewed.IsConv1D(module);

    private static ExtractionProblem? Unfit(WeightPair pair, BaseWeights renewed, bool turned)
    {
        if (renewed.Find(pair.Name) is not { } tensor)
            return new(ExtractionProblem.NewBaseMissing, $"{pair.Name} is not in the new base.", pair.Name);
        if (!tensor.Type.IsFactorType())
            return new(WeightsProblem.TypeUnsupported, $"{tensor.Name} of the new base is stored as {tensor.Type}.", pair.Name);
        return tensor.Shape.SequenceEqual(pair.Base.Shape) && !turned
            ? null
            : new(ExtractionProblem.NewBaseShape, $"{pair.Name} has the shape {pair.Base.ShapeText} in the old base and {tensor.ShapeText}{(turned ? ", stored the other way round," : "")} in the new one.", pair.Name);
    }

    private static TransferredTensor Compare(BaseWeights old, BaseWeights renewed, WeightPair pair, double change)
    {
        var bases = WeightDifference.Compare(old, pair.Base, renewed, renewed.Find(pair.Name)!);
        return new(pair.Name, bases.SecondNorm > 0 ? change / bases.SecondNorm : null, bases.Cosine, bases.Relative);
    }
}

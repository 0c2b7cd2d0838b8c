using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Numerics.Tensors;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;

namespace Marketplace.Core.Extraction;

/// <summary>Sparse deltas from models and adapters, onto models, and into adapters.</summary>
public static class SparseConversion
{
    /// <summary>The <paramref name="count"/> entries that tuning changed most, over all tensors together: linear weights, norms and biases; embeddings and head on request.</summary>
    /// <param name="baseModel">The model before it was tuned.</param>
    /// <param name="tuned">The model afterwards.</param>
    /// <param name="count">k.</param>
    /// <param name="includeEmbeddings">Whether embeddings and output head take part.</param>
    /// <param name="leftOut">Tensors that differ and did not take part, in ordinal order.</param>
    /// <param name="problems">Every reason why not.</param>
    /// <param name="progress">Told the share of the work that is done.</param>
    /// <param name="cancellation">Looked at between tensors.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static SparseDelta? FromModels(
        BaseWeights baseModel, BaseWeights tuned, long count, bool includeEmbeddings, out ImmutableArray<LeftOut> leftOut, out ImmutableArray<SparseProblem> problems,
        Action<double>? progress = null, CancellationToken cancellation = default)
    {
        leftOut = [];
        if (count < 1)
        {
            problems = [new(SparseProblem.CountInvalid, "The number of entries must be at least 1.")];
            return null;
        }

        var pairs = WeightPairs.Of(baseModel, tuned);
        var rest = new List<LeftOut>(pairs.Unmatched);
        var taken = new List<WeightPair>();
        foreach (var pair in pairs.Pairs.Where(p => WeightDifference.Differs(baseModel, tuned, p)))
        {
            var module = ModelNaming.ModuleOf(pair.Name) ?? "";
            if (includeEmbeddings || !(ModelNaming.IsEmbedding(module) || ModelNaming.IsHead(module)))
                taken.Add(pair);
            else
                rest.Add(new(pair.Name, ModelNaming.IsHead(module) ? LeftOut.Head : LeftOut.Embedding, "Embeddings and head take part only if asked for.", WeightDifference.Compare(baseModel, pair.Base, tuned, pair.Tuned).Relative));
        }

        leftOut = [.. rest.OrderBy(l => l.Tensor, StringComparer.Ordinal)];
        return Select(taken.Select(p => new DenseSource(p.Name, p.Base.Shape, () => WeightDifference.Values(baseModel, p.Base, tuned, p.Tuned, out _))), count, out problems, progress, cancellation);
    }

    /// <summary>The <paramref name="count"/> largest entries of an adapter's ΔW over all its modules, as the base model stores them.</summary>
    /// <param name="adapter">A plain adapter.</param>
    /// <param name="count">k.</param>
    /// <param name="weights">The base model, which knows how it stores weights; the adapter's configuration is believed if null.</param>
    /// <param name="problems">Every reason why not.</param>
    /// <param name="cancellation">Looked at between modules.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static SparseDelta? FromAdapter(
        Adapter adapter, long count, BaseWeights? weights, out ImmutableArray<SparseProblem> problems, CancellationToken cancellation = default)
    {
        var found = new List<SparseProblem>();
        var sources = new List<DenseSource>();
        if (count < 1)
            found.Add(new(SparseProblem.CountInvalid, "The number of entries must be at least 1."));
        found.AddRange(adapter.Carried.Select(t => new SparseProblem(SparseProblem.AdapterNotPlain, $"{t} is no LoRA factor, and has no place in a sparse ΔW.", t)));
        foreach (var module in adapter.Modules)
        {
            WeightsProblem? problem = null;
            var weight = weights?.FindWeight(module, adapter.Config, out problem);
            if (problem is not null)
                found.Add(new(problem.Code, problem.Message, module.Name));
            else if (module.Kind == ModuleKind.Conv2d)
                found.Add(new(SparseProblem.AdapterNotPlain, $"{module.Name} is a convolution.", module.Name));
            var transposed = weight?.Transposed ?? (module.Kind == ModuleKind.Embedding || adapter.Config.FanInFanOut);
            sources.Add(new(
                weight?.Tensor.Name ?? module.Name + ".weight", transposed ? [module.In, module.Out] : [module.Out, module.In], () => Dense(adapter.Delta(module.Name)!, transposed)));
        }

        problems = [.. found];
        return problems.IsEmpty ? Select(sources, count, out problems, null, cancellation) : null;
    }

    /// <summary>W₀ + δ as a whole model, in the files and element types of the base.</summary>
    /// <param name="delta">δ.</param>
    /// <param name="baseModel">W₀.</param>
    /// <param name="folder">Where the model is written.</param>
    /// <param name="cancellation">Looked at between tensors.</param>
    /// <returns>Every reason why not: tensors that the base lacks or has in another shape, values beyond its type, an occupied folder.</returns>
    /// <exception cref="IOException">A file can't be read or written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static ImmutableArray<ExtractionProblem> Apply(SparseDelta delta, BaseWeights baseModel, string folder, CancellationToken cancellation = default)
    {
        ImmutableArray<ExtractionProblem> problems = [.. delta.Tensors.Select(t => Unfit(t, baseModel)).OfType<ExtractionProblem>()];
        if (!problems.IsEmpty)
            return problems;
        var byTensor = delta.Tensors.ToLookup(t => baseModel.Find(t.Name)!.Name, StringComparer.Ordinal);
        return ModelCopy.Write(baseModel, folder, tensor =>
        {
            if (!byTensor.Contains(tensor.Name))
                return null;
            var values = baseModel.Read(tensor);
            foreach (var changed in byTensor[tensor.Name])
                delta.AddTo(changed.Name, values);
            return values;
        }, cancellation: cancellation);
    }

    /// <summary>A LoRA that comes as close to δ as its rank allows. A sparse matrix is not of low rank: the report tells what was kept.</summary>
    /// <param name="delta">δ.</param>
    /// <param name="baseModel">The base model, which knows how it stores weights.</param>
    /// <param name="options">How to extract; tensors that a LoRA can't hold are reported or refused as there.</param>
    /// <param name="export">The adapter.</param>
    /// <param name="report">What was done.</param>
    /// <param name="problems">Every reason why not.</param>
    /// <param name="cancellation">Looked at between tensors.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static bool TryExtract(
        SparseDelta delta, BaseWeights baseModel, ExtractionOptions options, [NotNullWhen(true)] out ServingExport? export, [NotNullWhen(true)] out ExtractionReport? report,
        out ImmutableArray<ExtractionProblem> problems, CancellationToken cancellation = default)
    {
        (export, report) = (null, null);
        problems = options.Invalid is { } reason
            ? [new(ExtractionProblem.OptionsInvalid, reason)]
            : [.. delta.Tensors.Select(t => Unfit(t, baseModel)).OfType<ExtractionProblem>()];
        if (!problems.IsEmpty)
            return false;
        var (modules, extracted, leftOut) = (new List<MergedModule>(), new List<ExtractedModule>(), new List<LeftOut>());
        foreach (var tensor in delta.Tensors)
        {
            var info = baseModel.Find(tensor.Name)!;
            var baseNorm = WeightDifference.Compare(baseModel, info, baseModel, info).FirstNorm;
            if (LoraExtraction.ModuleOf(new(info, info, tensor.Name), baseModel, options.IncludeEmbeddings, out var why) is not var (module, transposed))
            {
                leftOut.Add(new(tensor.Name, why.Code, why.Message, baseNorm > 0 ? TensorPrimitives.Norm<double>(tensor.Values) / baseNorm : null));
                continue;
            }

            var stored = new Matrix((int)tensor.Shape[0], (int)tensor.Shape[1]);
            delta.AddTo(tensor.Name, stored.Values);
            var (merged, entry) = LoraExtraction.Truncate(module, transposed ? MatrixMath.Transpose(stored) : stored, baseNorm, options, cancellation);
            modules.Add(merged);
            extracted.Add(entry);
        }

        if (options.RefuseRest)
            problems = [.. leftOut.Select(l => new ExtractionProblem(ExtractionProblem.ChangeNotExpressible, $"{l.Tensor}: {l.Message}", l.Tensor))];
        if (problems.IsEmpty && modules.Count == 0)
            problems = [new(ExtractionProblem.NothingChanged, "The delta changes no linear weight.")];
        if (problems.IsEmpty && !ServingExport.TryCreate(modules, new(options.BaseModel, options.Type, baseModel.FanInFanOut), out export, out var refused))
            problems = [.. refused.Select(p => new ExtractionProblem(p.Code, p.Message, p.Module))];
        if (problems.IsEmpty)
            report = new([.. extracted], [.. leftOut], baseModel.Tensors.Length - extracted.Count - leftOut.Count, export!.Report);
        return report is not null;
    }

    private static SparseDelta? Select(IEnumerable<DenseSource> sources, long count, out ImmutableArray<SparseProblem> problems, Action<double>? progress, CancellationToken cancellation)
    {
        problems = [];
        try
        {
            return SparseSelection.Largest(sources, count, progress, cancellation);
        }
        catch (NotFiniteNumberException e)
        {
            problems = [new(ExtractionProblem.NotFinite, e.Message)];
            return null;
        }
    }

    private static ExtractionProblem? Unfit(SparseTensor tensor, BaseWeights baseModel)
    {
        if (baseModel.Find(tensor.Name) is not { } info)
            return new(WeightsProblem.TensorMissing, $"{tensor.Name} is not in the base model.", tensor.Name);
        if (!info.Type.IsFactorType())
            return new(WeightsProblem.TypeUnsupported, $"{tensor.Name} is stored as {info.Type} in the base model.", tensor.Name);
        return info.Shape.SequenceEqual(tensor.Shape)
            ? null
            : new(WeightsProblem.ShapeMismatch, $"{tensor.Name} has the shape [{string.Join(", ", tensor.Shape)}] in the delta and {info.ShapeText} in the base model.", tensor.Name);
    }

    private static double[] Dense(LowRankDelta delta, bool transposed)
    {
        var dense = MatrixMath.Times(delta.B, delta.A);
        return (transposed ? MatrixMath.Transpose(dense) : dense).Values;
    }
}

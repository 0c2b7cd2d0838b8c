using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Numerics.Tensors;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;

namespace Marketplace.Core.Extraction;

/// <summary>
/// A LoRA out of a fine-tuned model: ΔW = W − W₀ of every linear weight in float64, truncated to its largest singular values and split evenly. One weight is
/// in memory at a time. What a LoRA can't hold (norms, biases, tensors of another shape) is reported by name or refused, never dropped in silence.
/// </summary>
public static class LoraExtraction
{
    /// <summary>Extracts.</summary>
    /// <param name="baseModel">The model before it was tuned.</param>
    /// <param name="tuned">The model afterwards.</param>
    /// <param name="options">What the caller decides.</param>
    /// <param name="export">The adapter in the serving profile; modules of smaller rank are padded with zeros.</param>
    /// <param name="report">What was done.</param>
    /// <param name="problems">Every reason why nothing came of it.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellation">Looked at between tensors and between rounds of iteration.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static bool TryRun(
        BaseWeights baseModel, BaseWeights tuned, ExtractionOptions options,
        [NotNullWhen(true)] out ServingExport? export, [NotNullWhen(true)] out ExtractionReport? report, out ImmutableArray<ExtractionProblem> problems,
        Action<ExtractionProgress>? progress = null, CancellationToken cancellation = default)
    {
        (export, report) = (null, null);
        if (options.Invalid is { } reason)
        {
            problems = [new(ExtractionProblem.OptionsInvalid, reason)];
            return false;
        }

        var run = new Run(baseModel, tuned, options);
        // Everything is looked at before the verdict, so that all problems are told at once.
        var serving = new ServingOptions(options.BaseModel, options.Type, baseModel.FanInFanOut);
        var exported = ServingExport.TryCreate(run.Modules(progress, cancellation), serving, out export, out var refused);
        var found = new List<ExtractionProblem>(run.Problems);
        if (options.RefuseRest)
            found.AddRange(run.LeftOut.Where(l => l.Reason != LeftOut.BelowTolerance).Select(l => new ExtractionProblem(ExtractionProblem.ChangeNotExpressible, $"{l.Tensor}: {l.Message}", l.Tensor)));
        if (!exported && run.Extracted.Count == 0 && found.Count == 0)
            found.Add(new(ExtractionProblem.NothingChanged, "No linear weight of the tuned model differs from the base by enough to be extracted."));
        else if (!exported && run.Extracted.Count > 0)
            found.AddRange(refused.Select(p => new ExtractionProblem(p.Code, p.Message, p.Module)));
        problems = [.. found];
        if (!problems.IsEmpty)
            export = null;
        else
            report = new([.. run.Extracted], [.. run.LeftOut.OrderBy(l => l.Tensor, StringComparer.Ordinal)], run.Unchanged, export!.Report);
        return report is not null;
    }

    /// <summary>
    /// Which module a tensor is the weight of, if a LoRA can change it; null with the reason otherwise.
    /// </summary>
    /// <param name="pair">The tensor in both models.</param>
    /// <param name="baseModel">The base, which knows how it stores weights.</param>
    /// <param name="includeEmbeddings">Whether embeddings and head count.</param>
    /// <param name="reason">A reason of <see cref="LeftOut"/>, and the same in words.</param>
    internal static (TargetModule Module, bool Transposed)? ModuleOf(
        WeightPair pair, BaseWeights baseModel, bool includeEmbeddings, out (string Code, string Message) reason)
    {
        reason = default;
        var module = ModelNaming.ModuleOf(pair.Name);
        if (pair.Base.Shape.Length < 2)
            reason = (LeftOut.NotLinear, "A norm, bias or scalar: no product of factors stands for it.");
        else if (pair.Base.Shape.Length > 2 || module is null)
            reason = (LeftOut.Dimensions, $"The shape {pair.Base.ShapeText} is not that of a linear layer's weight.");
        else if (!includeEmbeddings && ModelNaming.IsEmbedding(module))
            reason = (LeftOut.Embedding, "Embeddings are extracted only if asked for.");
        else if (!includeEmbeddings && ModelNaming.IsHead(module))
            reason = (LeftOut.Head, "The output head is extracted only if asked for.");
        if (reason.Code is not null)
            return null;
        var kind = ModelNaming.IsEmbedding(module!) ? ModuleKind.Embedding : ModuleKind.Linear;
        var transposed = kind == ModuleKind.Embedding || baseModel.IsConv1D(module!);
        var (first, second) = ((int)pair.Base.Shape[0], (int)pair.Base.Shape[1]);
        return (new(module!, kind, transposed ? second : first, transposed ? first : second, 0, 1), transposed);
    }

    /// <summary>Factors a dense ΔW of shape (out, in), not zero, as the options say.</summary>
    internal static (MergedModule Module, ExtractedModule Report) Truncate(
        TargetModule module, Matrix delta, double baseNorm, ExtractionOptions options, CancellationToken cancellation)
    {
        var found = SubspaceSvd.Truncate(delta, options.Policy, options.MaxRank, module.Name, cancellation);
        var (factors, norm, discarded) = (found.Factors.Delta, found.Factors.Norm, found.Factors.DiscardedNorm);
        var lost = norm > 0 ? discarded / norm : 0;
        return (
            new(module with { Rank = factors.Rank }, factors, new(module.Name, Math.Min(module.Out, module.In), factors.Rank, norm, discarded, [])),
            new(module.Name, module.Out, module.In, factors.Rank, baseNorm, norm, 1 - (lost * lost), found.Iterations, found.Converged));
    }

    private sealed class Run(BaseWeights baseModel, BaseWeights tuned, ExtractionOptions options)
    {
        public List<ExtractedModule> Extracted { get; } = [];

        public List<LeftOut> LeftOut { get; } = [];

        public List<ExtractionProblem> Problems { get; } = [];

        public int Unchanged { get; private set; }

        public IEnumerable<MergedModule> Modules(Action<ExtractionProgress>? progress, CancellationToken cancellation)
        {
            var pairs = WeightPairs.Of(baseModel, tuned);
            LeftOut.AddRange(pairs.Unmatched);
            Unchanged = pairs.Equal;
            var done = 0;
            foreach (var pair in pairs.Pairs)
            {
                cancellation.ThrowIfCancellationRequested();
                if (baseModel.SameBytes(pair.Base, tuned, pair.Tuned))
                    Unchanged++;
                else if (Extract(pair, cancellation) is { } module)
                    yield return module;
                progress?.Invoke(new(++done, pairs.Pairs.Length, pair.Name));
            }
        }

        private MergedModule? Extract(WeightPair pair, CancellationToken cancellation)
        {
            if (ModuleOf(pair, baseModel, options.IncludeEmbeddings, out var reason) is not var (module, transposed))
            {
                var change = WeightDifference.Compare(baseModel, pair.Base, tuned, pair.Tuned);
                if (change.Difference == 0) // stored in another type only
                    Unchanged++;
                else if (!double.IsFinite(change.Difference))
                    NotFinite(pair.Name);
                else
                    LeftOut.Add(new(pair.Name, reason.Code, reason.Message, change.Relative));
                return null;
            }

            var delta = WeightDifference.Delta(baseModel, pair.Base, tuned, pair.Tuned, transposed, out var baseNorm);
            var norm = TensorPrimitives.Norm<double>(delta.Values);
            if (!double.IsFinite(norm))
                NotFinite(pair.Name);
            else if (norm == 0)
                Unchanged++;
            else if (norm < options.SkipBelow * baseNorm)
                LeftOut.Add(new(pair.Name, Extraction.LeftOut.BelowTolerance, $"It changed by less than {options.SkipBelow:g3} of its norm.", norm / baseNorm));
            else
                return Truncate(module, delta, baseNorm, cancellation);
            return null;
        }

        private MergedModule Truncate(TargetModule module, Matrix delta, double baseNorm, CancellationToken cancellation)
        {
            var (merged, report) = LoraExtraction.Truncate(module, delta, baseNorm, options, cancellation);
            Extracted.Add(report);
            if (ModelNaming.IsInputEmbedding(module.Name) && baseModel.Find("lm_head.weight") is { } head && ModelNaming.ModuleOf(head.Name) is { } tied && !ModelNaming.IsHead(tied))
                LeftOut.Add(new("lm_head.weight", Extraction.LeftOut.TiedHead, "The head shares the embeddings; a LoRA on the embeddings changes the head only once it is merged."));
            return merged;
        }

        private void NotFinite(string tensor) =>
            Problems.Add(new(ExtractionProblem.NotFinite, $"{tensor} has values that are not finite in one of the models.", tensor));
    }
}

using System.Collections.Immutable;
using System.Globalization;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;

namespace Marketplace.Storage.Jobs;

/// <summary>What was folded before a merge.</summary>
/// <param name="Notes">One sentence for each adapter, for people.</param>
/// <param name="Weights">Names the base weights that were used, by the first digits of their SHA-256; null where none were.</param>
internal sealed record FoldedInputs(ImmutableArray<string> Notes, string? Weights)
{
    /// <summary>Nothing was.</summary>
    public static FoldedInputs None { get; } = new([], null);
}

/// <summary>DoRA adapters among the inputs of a job: with the base model's weights at hand they become plain ones before anything is planned.</summary>
internal static class DoraInputs
{
    /// <summary>Whether there is anything to fold.</summary>
    public static bool Any(OpenAdapters inputs) => inputs.Any(i => i.Modules.Any(m => m.HasMagnitude));

    /// <summary>Replaces the inputs that have magnitudes; leaves all as they are where the base model's weights are not to be had.</summary>
    /// <exception cref="JobFailureException">The weights do not fit.</exception>
    public static FoldedInputs Fold(
        OpenAdapters inputs, IReadOnlyList<string> names, string baseModel, string? folder, IMergeKernels? kernels,
        JobProgressReporter progress, CancellationToken cancellation)
    {
        int[] dora = [.. Enumerable.Range(0, inputs.Count).Where(i => inputs[i].Modules.Any(m => m.HasMagnitude))];
        if (dora.Length == 0 || folder is null)
            return FoldedInputs.None;
        if (!BaseWeights.TryOpen(folder, out var model, out var problems))
            throw Refused(baseModel, problems);
        using (model)
        {
            var total = dora.Sum(i => inputs[i].Modules.Count(m => m.HasMagnitude));
            var (before, notes, digests) = (0, new List<string>(), new List<string>());
            foreach (var i in dora)
            {
                if (!DoraFolding.TryFold(inputs[i], model, null, out var folded, out problems, (done, name) => progress.Report(before + done, total, $"fold {name}"), kernels, cancellation))
                    throw Refused(names[i], problems);
                inputs[i] = folded.Adapter;
                before += folded.Modules.Length;
                digests.Add(folded.BaseDigest);
                notes.Add(string.Create(CultureInfo.InvariantCulture,
                    $"{names[i]}: DoRA magnitudes of {folded.Modules.Length} modules folded into plain factors of rank {folded.Modules.Max(m => m.RankOut)} or less; {folded.DiscardedEnergy:p2} of |ΔW|² discarded."));
            }

            return new([.. notes], string.Join('+', digests.Select(d => d[..16]).Distinct()));
        }
    }

    /// <summary>What would make a refused merge possible; empty where nothing would.</summary>
    /// <param name="problem">Why it is refused.</param>
    /// <param name="baseModel">The base model.</param>
    /// <param name="canFold">Whether this process could fold magnitudes, as the kernels can.</param>
    public static string Hint(MergeProblem problem, string baseModel, bool canFold) => problem.Code != MergeProblem.DoraNotMergeable ? ""
        : canFold ? $" With the weights of '{baseModel}' registered (`marketplace base-models add`) or mounted in the kernels (setting Marketplace:Kernels:BaseWeights), the magnitudes would be folded in."
        : $" A merge by {LinearMethods.GenKnowSub}, on the kernels, folds the magnitudes in where the weights of '{baseModel}' are registered or mounted there.";

    private static JobFailureException Refused(string what, IEnumerable<WeightsProblem> problems) =>
        new("not-mergeable", string.Join(' ', problems.Select(p => $"[{p.Code}] {what}: {p.Message}")));
}

using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Kernels.Merges;
using Marketplace.Tests.Support;

namespace Marketplace.Kernels.Tests.Merges;

/// <summary>Real adapters by every method: gpt2's, of one shape, and gemma-3-270m's, of ranks 4, 8 and 16, two module sets, one untrained.</summary>
public sealed class WildMergeTests
{
    private static readonly string[] Gpt2 = ["laziestcactus__gptlora__", "anirudh-ak__peft-gpt2__", "harshapaladugu1__"];
    private static readonly string[] Gemma = ["0112ly__logo-gemma-lora__", "ao-wei__gemma3-270m-", "dengcong3__", "fanyihan-max__", "zouhe0__"];

    public static TheoryData<string> Names => [.. MergeMethods.All.Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Gpt2_adapters_merge_by_every_method(string name) => Merge(name, Open(Gpt2), refused: null);

    [Theory]
    [MemberData(nameof(Names))]
    public void Gemma_adapters_of_different_ranks_and_modules_merge_by_every_method_on_delta(string name) => Merge(
        name, Open(Gemma), MergeMethods.Find(name)!.Class == MethodClass.Factorwise ? MergeProblem.FactorsNotComparable : null);

    private static void Merge(string name, List<Adapter> library, string? refused)
    {
        try
        {
            var method = MergeMethods.Find(name)!;
            // A copy among the general adapters rightly leaves nothing of a target.
            Adapter[] inputs = [.. library.Where((a, i) => i == 0 || !method.SubtractsGeneral || !IsCopy(library[0], a)).Take(method.MaxInputs)];
            var recipe = MergeRecipe.Over(name, [.. inputs.Select(_ => 1d)]);
            var planned = MergePlan.TryCreate(recipe, inputs, out var plan, out var problems);
            if (refused is not null && inputs.Select(a => a.Modules.Length).Distinct().Count() > 1)
            {
                Assert.Equal([refused], problems.Select(p => p.Code));
                return;
            }

            Assert.True(planned, string.Join('\n', problems));
            var reports = new List<ModuleReport>();
            var modules = TorchMerge.Run(plan!, inputs, MergeResources.AllProcessors, cancellation: TestContext.Current.CancellationToken).Select(m =>
            {
                reports.Add(m.Report);
                return m;
            });
            var options = ServingOptions.For("some/base", TensorType.F32, [.. inputs.Select(a => a.Config)]);
            Assert.True(ServingExport.TryCreate(modules, options, out var export, out var wrong), string.Join('\n', wrong));

            Assert.Equal(inputs.SelectMany(a => a.Modules).Select(m => m.Name).Distinct().Count(), reports.Count);
            Assert.All(reports, r => Assert.True(double.IsFinite(r.Norm) && r.DiscardedNorm <= r.Norm * (1 + 1e-6), $"{r}"));
            Assert.Equal(inputs[0].Config.FanInFanOut, export.Config.FanInFanOut);
            var folder = Directory.CreateTempSubdirectory("wild-merge-").FullName;
            try
            {
                export.Save(folder);
                using var reloaded = AdapterReader.Open(folder);
                Assert.Empty(export.Check(reloaded));
                Assert.Contains(reloaded.Modules, m => Deltas.Norm(reloaded.Delta(m.Name)!) > 0);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        finally
        {
            library.ForEach(a => a.Dispose());
        }
    }

    private static bool IsCopy(Adapter first, Adapter second) =>
        first.Modules.All(m => second.Delta(m.Name) is { } other && first.Delta(m.Name)!.B.Values.SequenceEqual(other.B.Values));

    // Trained ones first, so that a method of one input gets one that does something.
    private static List<Adapter> Open(string[] groups) =>
    [
        .. WildAdapters.Catalogue().Where(a => a.IsAccepted && groups.Any(g => a.Name.StartsWith(g, StringComparison.Ordinal)))
            .OrderBy(a => a.Because.Contains("warn:untrained")).ThenBy(a => a.Name, StringComparer.Ordinal)
            .Select(a => AdapterReader.Open(a.Folder)),
    ];
}

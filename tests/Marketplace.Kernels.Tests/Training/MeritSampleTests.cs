using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Kernels.Evaluation;
using Marketplace.Kernels.Models;
using Marketplace.Kernels.Tokenizers;
using Marketplace.Tests.Support;

namespace Marketplace.Kernels.Tests.Training;

/// <summary>The sample library with merit: what is shipped gives the numbers of the table that is shipped with it.</summary>
public sealed class MeritSampleTests
{
    private const string Task = "previous-new"; // has an adapter of its family, but none of its own
    private const double Items = 200;

    private static readonly string Folder = Path.Combine(Fixtures.Repository, "samples", "merit");

    [Fact]
    public void The_shipped_weights_give_the_rows_of_the_shipped_table()
    {
        Assert.True(LanguageModel.TryOpen(Path.Combine(Folder, "base"), KernelDevice.Cpu, out var model, out var problems), string.Join(' ', problems));
        using var opened = model;
        Assert.True(Tokenizer.TryLoad(Path.Combine(Folder, "base"), out var tokenizer, out var wrong), string.Join(' ', wrong));
        Assert.True(EvaluationSetReader.TryRead(File.ReadAllBytes(Path.Combine(Folder, "sets", $"{Task}.jsonl")), out var set, out var faults), string.Join(' ', faults));
        Assert.Equal(Items, set!.Items.Length);
        string[] names = [.. Directory.GetDirectories(Path.Combine(Folder, "library")).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];
        Adapter[] experts = [.. names.Select(n => AdapterReader.Open(Path.Combine(Folder, "library", n)))];
        using var results = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "results.json")));
        var rows = results.RootElement[0].GetProperty("heldOut");
        var scorer = new EvaluationScorer(opened, tokenizer!, new HashSet<int>(), new ScoringLimits());

        Holds("base", ActiveAdapters.None);
        Assert.True(ActiveAdapters.TryLoad(opened, [.. experts.Select(e => (e, 1.0 / experts.Length))], out var merged, out _));
        Holds("uniform merge", merged!);
        Assert.True(RouterPlan.TryCreate(names, experts, null, [], new(2), out var plan, out _));
        Assert.True(ActiveAdapters.TryLoad(opened, plan!.Compute(TestContext.Current.CancellationToken), plan, out var routed, out _));
        Holds("Arrow, top 2", routed!);
        foreach (var expert in experts)
            expert.Dispose();

        // An item may tip where two choices are as likely but for rounding, which differs between processors.
        void Holds(string row, ActiveAdapters active)
        {
            using var subject = ScoringSubject.Of(active);
            var predictions = scorer.Score(set, new ItemRange(0, set.Items.Length), [subject], TestContext.Current.CancellationToken)[0];
            var right = predictions.Items.Cast<ChoicePrediction>().Zip(set.Items.Cast<MultipleChoiceItem>()).Count(p => p.First.Chosen == p.Second.Answer);
            Assert.Equal(rows.GetProperty(row).GetProperty(Task).GetDouble(), right / Items, 1.5 / Items);
        }
    }
}

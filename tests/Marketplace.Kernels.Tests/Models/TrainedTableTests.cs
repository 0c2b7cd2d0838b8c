using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Kernels.Models;
using Marketplace.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Models;

/// <summary>The whole accuracy table of the trained model, item for item, against what PEFT measured.</summary>
public class TrainedTableTests
{
    public static TheoryData<string> Rows =>
    [
        "base", "adapter:copy", "adapter:reverse", "adapter:upper", "adapter:addmod", "adapter:sort", "adapter:last", "adapter:prose", "adapter:log",
        "merge:linear_mean", "merge:linear_half", "merge:cat_mean", "merge:cat_half", "merge:ties_d50", "merge:ties_d20",
        "dense arrow:top3", "dense arrow:top3+gks_factorwise", "dense arrow:top3+gks_exact",
    ];

    [Theory]
    [MemberData(nameof(Rows))]
    public void Every_item_is_answered_as_there(string row)
    {
        using var scope = NewDisposeScope();
        using var model = TrainedModel.Open();
        using var expected = SafetensorsFile.Open(Path.Combine(Fixtures.Root, "trained", "expected_loglik.safetensors"));
        var all = ModelFixture.Read(expected, "loglik." + row);
        using var active = Active(model, row);
        for (var t = 0; t < TrainedModel.Tasks.Length; t++)
        {
            var task = TrainedModel.Tasks[t];
            var likelihoods = TrainedModel.Score(model, active, task);
            Assert.InRange(ModelFixture.Difference(likelihoods, all[t]), 0, 5e-4); // sums of up to six log-probabilities
            var predictions = likelihoods.argmax(1).data<long>().ToArray();
            Assert.Equal(all[t].argmax(1).data<long>().ToArray(), predictions);
            Assert.Equal(Accuracy(row, task), predictions.Zip(TrainedModel.Answers(task)).Average(p => p.First == p.Second ? 1d : 0), 9);
        }
    }

    [Theory]
    [InlineData("dense arrow:top3", "peft arrow:top3")]
    [InlineData("dense arrow:top3+gks_factorwise", "peft arrow:top3+gks")]
    public void PEFT_with_its_unfinished_power_iteration_comes_out_roughly_the_same(string row, string peft)
    {
        foreach (var task in TrainedModel.Tasks)
            Assert.Equal(Accuracy(row, task), Accuracy(peft, task), 0.0601);
    }

    private static double Accuracy(string row, string task) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Root, "trained", "expected.json"))).RootElement.GetProperty("accuracy").GetProperty(row).GetProperty(task).GetDouble();

    private static ActiveAdapters Active(LanguageModel model, string row)
    {
        if (row == "base")
            return ActiveAdapters.None;
        var name = row[(row.IndexOf(':', StringComparison.Ordinal) + 1)..];
        string[] names = row.StartsWith("adapter", StringComparison.Ordinal) ? [name] : TrainedModel.Tasks;
        Adapter[] inputs = [.. names.Select(TrainedModel.Adapter)];
        Adapter[] general = [TrainedModel.Adapter("prose"), TrainedModel.Adapter("log")];
        try
        {
            if (row.StartsWith("dense", StringComparison.Ordinal))
                return TrainedModel.Arrow(model, inputs, general, name.EndsWith("exact", StringComparison.Ordinal) ? RouterSubtractionMode.Exact : name.EndsWith("factorwise", StringComparison.Ordinal) ? RouterSubtractionMode.Factorwise : null);
            var weight = name.EndsWith("mean", StringComparison.Ordinal) ? 1d / 6 : name.EndsWith("half", StringComparison.Ordinal) ? 0.5 : 1;
            // What PEFT calls cat is the exact sum; the others of its merges average factors.
            (Adapter, double)[] set = row.StartsWith("adapter", StringComparison.Ordinal) || name.StartsWith("cat", StringComparison.Ordinal)
                ? [.. inputs.Select(i => (i, weight))]
                : [(TrainedModel.Merge(Factorwise(name, weight), inputs), 1)];
            Assert.True(ActiveAdapters.TryLoad(model, set, out var active, out var problems), string.Join(' ', problems.Select(p => p.Message)));
            return active;
        }
        finally
        {
            foreach (var adapter in inputs.Concat(general))
                adapter.Dispose();
        }
    }

    private static MergeRecipe Factorwise(string name, double weight)
    {
        var recipe = MergeRecipe.Over(name.StartsWith("ties", StringComparison.Ordinal) ? "peft_factorwise_ties" : "peft_factorwise_linear", [.. Enumerable.Repeat(weight, 6)]);
        return name.StartsWith("ties", StringComparison.Ordinal) ? recipe.With("density", name.EndsWith("d50", StringComparison.Ordinal) ? 0.5 : 0.2) : recipe;
    }
}

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

/// <summary>The trained character model of the samples, its adapters, and the items that it was measured on with PEFT.</summary>
internal static class TrainedModel
{
    public static string[] Tasks { get; } = ["copy", "reverse", "upper", "addmod", "sort", "last"];

    public static LanguageModel Open()
    {
        Assert.True(LanguageModel.TryOpen(Path.Combine(Fixtures.Repository, "samples", "base"), KernelDevice.Cpu, out var model, out var problems), string.Join(' ', problems));
        return model!;
    }

    public static Adapter Adapter(string name) => AdapterReader.Open(Path.Combine(Fixtures.Repository, "samples", "library", name));

    /// <summary>Log-likelihood of every choice given <c>&lt;s&gt;</c> and the prompt, shape (items, 4): one pass over all, by nothing but the definition.</summary>
    public static Tensor Score(LanguageModel model, ActiveAdapters? active, string task)
    {
        using var scope = NewDisposeScope();
        using var batch = Batch(task, out var choices);
        var likelihoods = model.Logits(model.Hidden(batch, active), active).log_softmax(-1).narrow(1, 0, batch.Columns - 1)
            .gather(2, batch.Ids.narrow(1, 1, batch.Columns - 1).unsqueeze(-1)).squeeze(-1); // of each token after the first
        float[] scored = [.. choices.SelectMany(c => Enumerable.Range(1, batch.Columns - 1).Select(t => t >= c.Start && t < c.Tokens.Length ? 1f : 0f))];
        return likelihoods.mul(from_array(scored).view_as(likelihoods)).sum(1).view(-1, 4).MoveToOuterDisposeScope();
    }

    public static int[] Answers(string task) => [.. Items(task).Select(i => i.Answer)];

    public static TokenBatch Batch(string task, out List<(int[] Tokens, int Start)> choices)
    {
        var vocabulary = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Repository, "samples", "base", "tokenizer.json")))
            .RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject().ToDictionary(t => t.Name, t => t.Value.GetInt32());
        choices =
        [
            .. Items(task).SelectMany(item => item.Choices.Select(choice =>
                ((int[])[1, .. (item.Prompt + choice).Select(c => vocabulary[c.ToString()])], item.Prompt.Length + 1))),
        ];
        return TokenBatch.Of([.. choices.Select(c => (ReadOnlyMemory<int>)c.Tokens)], CPU);
    }

    /// <summary>A merge by the core's reference kernels, as an adapter in memory.</summary>
    public static Adapter Merge(MergeRecipe recipe, IReadOnlyList<Adapter> inputs)
    {
        Assert.True(MergePlan.TryCreate(recipe, inputs, out var plan, out var problems), string.Join('\n', problems));
        var merged = Merging.Run(plan, inputs).ToDictionary(m => m.Module.Name);
        return new Adapter(new AdapterConfig(), merged.Values.Select(m => m.Module), module => merged[module.Name].Delta);
    }

    public static ActiveAdapters Arrow(LanguageModel model, IReadOnlyList<Adapter> experts, IReadOnlyList<Adapter> general, RouterSubtractionMode? mode)
    {
        var subtraction = mode is { } m ? new RouterSubtraction(["prose", "log"], [1, 1], 1, m) : null;
        Assert.True(RouterPlan.TryCreate(Tasks, experts, subtraction, mode is null ? [] : general, new(3), out var plan, out var refused), string.Join(' ', refused));
        Assert.True(ActiveAdapters.TryLoad(model, plan.Compute(), plan, out var active, out var problems), string.Join(' ', problems.Select(p => p.Message)));
        return active;
    }

    private static List<(string Prompt, string[] Choices, int Answer)> Items(string task) =>
    [
        .. File.ReadLines(Path.Combine(Fixtures.Repository, "samples", "sets", task + ".jsonl")).Select(line => JsonDocument.Parse(line).RootElement)
            .Select(e => (e.GetProperty("prompt").GetString()!, e.GetProperty("choices").EnumerateArray().Select(c => c.GetString()!).ToArray(), e.GetProperty("answer").GetInt32())),
    ];
}

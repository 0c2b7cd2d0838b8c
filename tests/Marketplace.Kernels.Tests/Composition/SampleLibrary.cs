using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Composition;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Composition;
using Marketplace.Kernels.Evaluation;
using Marketplace.Kernels.Merges;
using Marketplace.Kernels.Models;
using Marketplace.Kernels.Tokenizers;
using Marketplace.Tests.Support;

namespace Marketplace.Kernels.Tests.Composition;

/// <summary>The character model of samples/, its adapters, and items of its tasks.</summary>
internal sealed class SampleLibrary : IDisposable
{
    public static readonly string[] Names = ["addmod", "copy", "last", "reverse", "sort", "upper", "log", "prose"];

    public SampleLibrary(params ReadOnlySpan<string> names)
    {
        Assert.True(LanguageModel.TryOpen(Path.Combine(Folder, "base"), KernelDevice.Cpu, out var model, out _));
        Model = model!;
        Adapters = [.. (names.IsEmpty ? Names : names.ToArray()).Select(n => AdapterReader.Open(Path.Combine(Folder, "library", n)))];
    }

    public LanguageModel Model { get; }

    public ImmutableArray<Adapter> Adapters { get; }

    private static string Folder => Path.Combine(Fixtures.Repository, "samples");

    public static TorchKernels Kernels { get; } = new(KernelDevice.Cpu);

    /// <summary>Items of a task.</summary>
    public static IReadOnlyList<Example> Items(string task)
    {
        Assert.True(Tokenizer.TryLoad(Path.Combine(Folder, "base"), out var tokenizer, out _));
        Assert.True(EvaluationSetReader.TryRead(File.ReadAllBytes(Path.Combine(Folder, "sets", $"{task}.jsonl")), out var set, out var problems), string.Join(' ', problems));
        return Example.Of(set!, new ItemTokens(tokenizer!, 64, set!.Header.Separator));
    }

    public static MergePlan Plan(IReadOnlyList<Adapter> adapters, CompositionSettings settings)
    {
        var recipe = settings.Recipe([.. Enumerable.Range(0, adapters.Count).Select(i => new RecipeInput($"#{i}"))]);
        Assert.True(MergePlan.TryCreate(recipe, adapters, out var plan, out var problems), string.Join(' ', problems.Select(p => p.Message)));
        return plan!;
    }

    public MergePlan Plan(CompositionSettings settings) => Plan(Adapters, settings);

    public ComposedAdapters Compose(CompositionSettings settings)
    {
        Assert.True(Composing.TryCompose(Model, Plan(settings), Adapters, settings, Kernels, out var composed, out var problems), string.Join(' ', problems.Select(p => p.Message)));
        return composed!;
    }

    /// <summary>The adapter that comes of learned tables.</summary>
    public Adapter Export(CompositionSettings settings, ComposedAdapters composed)
    {
        var modules = Merging.Run(Composing.Learned(Plan(settings), settings, composed.Download()), Adapters).ToDictionary(m => m.Module.Name, StringComparer.Ordinal);
        return new(Adapters[0].Config, modules.Values.Select(m => m.Module), m => modules[m.Name].Delta);
    }

    public double Accuracy(ActiveAdapters active, IReadOnlyList<Example> items) =>
        new ExampleLoss(Model, CompositionMethods.Answer, 1).Score(() => active, items).Accuracy!.Value;

    public void Dispose()
    {
        Model.Dispose();
        foreach (var adapter in Adapters)
            adapter.Dispose();
    }
}

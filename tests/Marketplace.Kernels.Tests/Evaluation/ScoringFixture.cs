using Marketplace.Core.Formats;
using Marketplace.Kernels.Evaluation;
using Marketplace.Kernels.Models;
using Marketplace.Kernels.Tokenizers;
using Marketplace.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Tests.Evaluation;

/// <summary>The sample base model with its adapters, and scores computed by nothing but their definition.</summary>
public sealed class ScoringFixture : IDisposable
{
    private static readonly string Folder = Path.Combine(Fixtures.Repository, "samples", "base");

    public ScoringFixture()
    {
        Assert.True(LanguageModel.TryOpen(Folder, KernelDevice.Cpu, out var model, out var problems), string.Join(' ', problems));
        Assert.True(Tokenizer.TryLoad(Folder, out var tokenizer, out var wrong), string.Join(' ', wrong));
        (Model, Tokens) = (model, tokenizer!);
    }

    public LanguageModel Model { get; }

    public Tokenizer Tokens { get; }

    public EvaluationScorer Scorer(ScoringLimits limits) => new(Model, Tokens, new HashSet<int> { Tokens.EndId!.Value, 3 }, limits);

    /// <summary>An adapter of the sample library.</summary>
    public ActiveAdapters Load(string name)
    {
        using var adapter = AdapterReader.Open(Path.Combine(Fixtures.Repository, "samples", "library", name));
        Assert.True(ActiveAdapters.TryLoad(Model, adapter, out var active, out var problems), string.Join(' ', problems));
        return active!;
    }

    /// <summary>The base, adapters, and mixtures of these, in that order.</summary>
    public ScoringSubject[] Subjects() =>
    [
        ScoringSubject.Of(ActiveAdapters.None), ScoringSubject.Of(Load("copy")), ScoringSubject.Of(Load("sort")),
        ScoringSubject.Mixture([(ScoringSubject.Of(Load("copy")), 3), (ScoringSubject.Mixture([(ScoringSubject.Of(ActiveAdapters.None), 1), (ScoringSubject.Of(Load("sort")), 1)]), 1)]),
    ];

    /// <summary>log p of the token after each, by one row alone: shape (T, V).</summary>
    public double[][] Logs(ReadOnlyMemory<int> tokens, ActiveAdapters active)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var batch = TokenBatch.Of([tokens], CPU);
        var logs = Model.Logits(Model.Hidden(batch, active), active).to(ScalarType.Float64).log_softmax(-1);
        var (all, width) = (logs.contiguous().data<double>().ToArray(), (int)logs.shape[2]);
        return [.. all.Chunk(width)];
    }

    /// <summary>The same of a subject.</summary>
    internal double[][] Logs(ReadOnlyMemory<int> tokens, ScoringSubject subject)
    {
        var parts = subject.Parts.Select(p => (Logs: Logs(tokens, p.Active), Weight: Math.Exp(p.LogWeight))).ToList();
        return [.. Enumerable.Range(0, tokens.Length).Select(t => Enumerable.Range(0, Model.Config.VocabularySize).Select(v => Math.Log(parts.Sum(p => p.Weight * Math.Exp(p.Logs[t][v])))).ToArray())];
    }

    public void Dispose() => Model.Dispose();
}

using Marketplace.Kernels.Models;
using static TorchSharp.torch;

namespace Marketplace.Kernels.Evaluation;

/// <summary>Tokens of which the last are scored, each by its log-probability given all before it.</summary>
/// <param name="Tokens">Everything that the model sees, and the tokens that are scored.</param>
/// <param name="First">Index of the first that is scored: at least 1, since nothing is before the first token, and less than their number.</param>
public sealed record ScoredSequence(ReadOnlyMemory<int> Tokens, int First)
{
    /// <summary>How many tokens are scored.</summary>
    public int Scored => Tokens.Length - First;

    /// <summary>How many tokens the model reads: all but the last.</summary>
    public int Read => Tokens.Length - 1;
}

/// <summary>A score of a sequence.</summary>
/// <param name="LogLikelihood">Sum of the log-probabilities of the scored tokens, in nats.</param>
/// <param name="Greedy">Whether each scored token was the likeliest at its place; false where that was not asked for.</param>
public readonly record struct SequenceScore(double LogLikelihood, bool Greedy);

/// <summary>What a pass may take.</summary>
/// <param name="Tokens">Rows times columns of a batch; one row may have more.</param>
/// <param name="Logits">Logits that are in memory at once.</param>
/// <param name="Subjects">Sets of adapters side by side in a batch.</param>
public sealed record ScoringLimits(int Tokens = 4096, long Logits = 1 << 23, int Subjects = 16)
{
    private const long SmallModel = 1 << 24; // bytes; its products are over before a second thread has begun

    /// <summary>Has the calling thread compute with all processors, or alone where the model is small. Merges compute each module by one thread, and libtorch remembers that.</summary>
    internal static void UseThreads(LanguageModel model) => set_num_threads(model.Bytes < SmallModel ? 1 : Environment.ProcessorCount);

    /// <summary>For a device: a GPU needs more work at a time to be busy.</summary>
    public static ScoringLimits For(KernelDevice device) => device.Kind == "cpu" ? new() : new(1 << 16, 1L << 29, 32);
}

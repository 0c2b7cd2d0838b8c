using Marketplace.Core.Evaluation;
using Marketplace.Kernels.Tokenizers;

namespace Marketplace.Kernels.Evaluation;

/// <summary>
/// From the texts of items to tokens. Every sequence begins as the tokenizer begins one (a start token, where it has one); nothing is put at the end. Where a sequence would begin with
/// what is scored, the tokenizer's start or end token goes before. Sequences that are too long lose tokens at the left.
/// </summary>
/// <param name="tokenizer">The base model's.</param>
/// <param name="maxPositions">The most tokens that the model reads.</param>
/// <param name="separator">Stands between prompt and continuation.</param>
public sealed class ItemTokens(Tokenizer tokenizer, int maxPositions, string separator)
{
    private readonly int[] lead = Lead(tokenizer);

    /// <summary>
    /// A continuation after its prompt. Both are written as one text; scored are the tokens after the longest start that the text's tokens have in common with those of the prompt by itself. So a token that
    /// lies across the seam, as where a prompt ends with a space, is scored as a whole.
    /// </summary>
    public ScoredSequence After(string prompt, string continuation)
    {
        var whole = tokenizer.Encode(prompt + separator + continuation, false);
        var common = Math.Min(whole.AsSpan().CommonPrefixLength(tokenizer.Encode(prompt, false)), Math.Max(0, whole.Length - 1));
        int[] tokens = [.. Start(common == 0), .. whole];
        return Cut(tokens, tokens.Length - whole.Length + common);
    }

    /// <summary>
    /// A text in windows: each token is scored once, given as many before it as the model can read, and at least one. The windows are those of disjoint scoring: a window's first token sees the one before it.
    /// </summary>
    public IReadOnlyList<ScoredSequence> Windows(string text)
    {
        var whole = tokenizer.Encode(text, false);
        int[] tokens = [.. Start(needed: true), .. whole];
        var windows = new List<ScoredSequence>();
        // Without a token to go before, the first of the text can't be scored.
        for (var first = Math.Max(1, tokens.Length - whole.Length); first < tokens.Length;)
        {
            var end = Math.Min(tokens.Length, first + maxPositions);
            var start = Math.Max(0, end - 1 - maxPositions);
            windows.Add(new(tokens.AsMemory(start..end), first - start));
            first = end;
        }

        return windows;
    }

    /// <summary>A prompt after which so many tokens are to be written; fewer, if the model can't read so far.</summary>
    public WrittenAfter Prompt(string prompt, int maxTokens)
    {
        var whole = tokenizer.Encode(prompt + separator, false);
        int[] tokens = [.. Start(whole.Length == 0), .. whole];
        var written = Math.Min(maxTokens, maxPositions);
        // The last token that is written is read by nobody.
        return new(tokens.AsMemory(Math.Max(0, tokens.Length - Math.Max(1, maxPositions - written + 1))), tokens.Length == 0 ? 0 : written);
    }

    private ScoredSequence Cut(int[] tokens, int first)
    {
        var start = Math.Max(0, tokens.Length - 1 - maxPositions);
        return new(tokens.AsMemory(start), Math.Max(1, first - start));
    }

    private int[] Start(bool needed) =>
        lead.Length > 0 || !needed ? lead : tokenizer.BeginningId is { } bos ? [bos] : tokenizer.EndId is { } eos ? [eos] : [];

    // What the tokenizer puts before a text: what stands before the tokens of one that it encodes with special tokens.
    private static int[] Lead(Tokenizer tokenizer)
    {
        var (plain, special) = (tokenizer.Encode("a", false), tokenizer.Encode("a", true));
        var at = special.AsSpan().IndexOf(plain);
        return at > 0 ? special[..at] : [];
    }
}

using System.Buffers;
using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>
/// Unigram language model (Kudo 2018): of all ways to write a piece in tokens the one whose scores, logarithms of probabilities, add up highest (Viterbi). A character without a token of its own
/// may be unknown for 10 less than the lowest score; neighbouring unknown characters are one token. O(n · longest token).
/// </summary>
internal sealed class UnigramModel : TokenModel
{
    private const double UnknownPenalty = 10;

    private readonly double[] _scores;
    private readonly int _unknown;
    private readonly double _unknownScore;
    private readonly int[]? _bytes;
    // A trie of the tokens: the first code unit has an array, the others a table by node and unit; 0 is no node. For each node the id of the token that ends there.
    private readonly Dictionary<long, int> _nodes;
    private readonly List<int> _ends = [-1];
    private readonly int[] _roots = new int[0x10000];
    private readonly WordCache _cache = new();

    /// <param name="vocabulary">The tokens; of equal ones the last counts.</param>
    /// <param name="scores">By id.</param>
    /// <param name="unknown">The unknown token's id.</param>
    /// <param name="fallsBackToBytes">Whether unknown characters become their bytes' tokens, if all of them exist.</param>
    public UnigramModel(Vocabulary vocabulary, double[] scores, int unknown, bool fallsBackToBytes) : base(vocabulary)
    {
        (_scores, _unknown) = (scores, unknown);
        _unknownScore = scores.Min() - UnknownPenalty;
        _bytes = fallsBackToBytes ? vocabulary.Bytes() : null;
        _nodes = new(vocabulary.Count * 2);
        for (var id = 0; id < scores.Length; id++)
            if (vocabulary.TokenOf(id) is { Length: > 0 } token)
                Insert(token, id);
    }

    public override void Tokenize(ReadOnlySpan<char> piece, List<ModelToken> into)
    {
        if (_cache.TryAdd(piece, into))
            return;
        var first = into.Count;
        Best(piece, into);
        _cache.Keep(piece, into, first);
    }

    public override string Spell(ModelToken token, ReadOnlySpan<char> piece) =>
        token.Id == _unknown ? piece[token.Start..token.End].ToString() : base.Spell(token, piece);

    private void Best(ReadOnlySpan<char> piece, List<ModelToken> into)
    {
        var steps = ArrayPool<Step>.Shared.Rent(piece.Length + 1);
        try
        {
            steps.AsSpan(0, piece.Length + 1).Fill(new(0, -1, -1));
            for (var start = 0; start < piece.Length;)
            {
                var length = char.IsHighSurrogate(piece[start]) && start + 1 < piece.Length ? 2 : 1;
                var score = steps[start].Score;
                var single = false;
                var node = _roots[piece[start]];
                for (var end = start + 1; node > 0; end++)
                {
                    if (_ends[node] is >= 0 and var id)
                    {
                        Consider(ref steps[end], score + _scores[id], start, id);
                        single |= end == start + length;
                    }

                    node = end < piece.Length ? Child(node, piece[end]) : 0;
                }

                if (!single)
                    Consider(ref steps[start + length], score + _unknownScore, start, _unknown);
                start += length;
            }

            Collect(piece, steps, into);
        }
        finally
        {
            ArrayPool<Step>.Shared.Return(steps);
        }
    }

    private static void Consider(ref Step step, double score, int start, int id)
    {
        if (step.Start < 0 || score > step.Score)
            step = new(score, start, id);
    }

    private void Collect(ReadOnlySpan<char> piece, Step[] steps, List<ModelToken> into)
    {
        var first = into.Count;
        for (var end = piece.Length; end > 0; end = steps[end].Start)
        {
            var step = steps[end];
            if (step.Id == _unknown && into.Count > first && into[^1].Id == _unknown)
                into[^1] = into[^1] with { Start = step.Start };
            else
                into.Add(new(step.Id, step.Start, end));
        }

        into.Reverse(first, into.Count - first);
        if (into.FindIndex(first, t => t.Id == _unknown) is >= 0 and var from)
            Resolve(piece, into, from);
    }

    // A fused run of unknown characters may be a token after all, or bytes.
    private void Resolve(ReadOnlySpan<char> piece, List<ModelToken> into, int from)
    {
        ModelToken[] tokens = [.. into[from..]];
        into.RemoveRange(from, tokens.Length);
        foreach (var token in tokens)
        {
            var text = piece[token.Start..token.End];
            if (token.Id != _unknown)
                into.Add(token);
            else if (Vocabulary.IdOf(text) is >= 0 and var id)
                into.Add(token with { Id = id });
            else if (_bytes is null || !AddBytes(token, text, into))
                into.Add(token);
        }
    }

    private bool AddBytes(ModelToken token, ReadOnlySpan<char> text, List<ModelToken> into)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        if (bytes.Any(b => _bytes![b] < 0))
            return false;
        into.AddRange(bytes.Select(b => token with { Id = _bytes![b] }));
        return true;
    }

    private void Insert(string token, int id)
    {
        ref var root = ref _roots[token[0]];
        if (root == 0)
            root = NewNode();
        var node = root;
        foreach (var unit in token.AsSpan(1))
        {
            ref var child = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_nodes, Key(node, unit), out var exists);
            node = exists ? child : child = NewNode();
        }

        _ends[node] = id;
    }

    private int NewNode()
    {
        _ends.Add(-1);
        return _ends.Count - 1;
    }

    private int Child(int node, char unit) => _nodes.GetValueOrDefault(Key(node, unit));

    private static long Key(int node, char unit) => ((long)node << 16) | unit;

    private readonly record struct Step(double Score, int Start, int Id);
}

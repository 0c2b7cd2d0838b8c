using System.Collections.Concurrent;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>A token of a piece, and which of the piece's UTF-16 code units it stands for.</summary>
internal readonly record struct ModelToken(int Id, int Start, int End);

/// <summary>What makes tokens of pieces, with its vocabulary.</summary>
internal abstract class TokenModel(Vocabulary vocabulary)
{
    public Vocabulary Vocabulary => vocabulary;

    /// <summary>Adds the tokens of a piece that is not empty.</summary>
    public abstract void Tokenize(ReadOnlySpan<char> piece, List<ModelToken> into);

    /// <summary>How a token is spelled; of an unknown one some models know the characters.</summary>
    public virtual string Spell(ModelToken token, ReadOnlySpan<char> piece) => vocabulary.TokenOf(token.Id) ?? "";
}

/// <summary>Tokens and their ids, both ways.</summary>
internal sealed class Vocabulary
{
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly Dictionary<int, string> _tokens;
    private readonly int[] _units = new int[0x10000];

    public Vocabulary(Dictionary<string, int> ids)
    {
        _ids = ids;
        _lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _tokens = ids.ToDictionary(t => t.Value, t => t.Key);
        Array.Fill(_units, -1);
        foreach (var (token, id) in ids)
            if (token.Length == 1)
                _units[token[0]] = id;
    }

    public int Count => _ids.Count;

    public string? TokenOf(int id) => _tokens.GetValueOrDefault(id);

    /// <summary>The id of a token; -1 where there is none.</summary>
    public int IdOf(ReadOnlySpan<char> token) => token.Length == 1 ? _units[token[0]] : _lookup.TryGetValue(token, out var id) ? id : -1;

    /// <summary>The ids of the 256 tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>, -1 for those that are missing.</summary>
    public int[] Bytes() => [.. Enumerable.Range(0, 256).Select(b => IdOf($"<0x{b:X2}>"))];
}

/// <summary>Tokens of words seen before: texts repeat their words. Bounded, and shared by threads.</summary>
internal sealed class WordCache
{
    private const int MostWords = 1 << 16;
    private const int LongestWord = 64;

    private readonly ConcurrentDictionary<string, ModelToken[]> _words = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ModelToken[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private int _count;

    public WordCache() => _lookup = _words.GetAlternateLookup<ReadOnlySpan<char>>();

    public bool TryAdd(ReadOnlySpan<char> word, List<ModelToken> into)
    {
        if (word.Length > LongestWord || !_lookup.TryGetValue(word, out var tokens))
            return false;
        into.AddRange(tokens);
        return true;
    }

    /// <summary>Keeps what was added to <paramref name="tokens"/> from <paramref name="first"/> on.</summary>
    public void Keep(ReadOnlySpan<char> word, List<ModelToken> tokens, int first)
    {
        if (word.Length <= LongestWord && Volatile.Read(ref _count) < MostWords && _words.TryAdd(word.ToString(), [.. tokens[first..]]))
            Interlocked.Increment(ref _count);
    }
}

/// <summary>Every piece is one token, known or unknown.</summary>
internal sealed class WordLevelModel(Vocabulary vocabulary, int unknown) : TokenModel(vocabulary)
{
    public override void Tokenize(ReadOnlySpan<char> piece, List<ModelToken> into)
    {
        var id = Vocabulary.IdOf(piece);
        into.Add(new(id >= 0 ? id : unknown, 0, piece.Length));
    }
}

using System.Buffers;
using System.Runtime.InteropServices;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>A token that is found in the text as it is, whatever the model would make of it.</summary>
/// <param name="Content">What it looks like.</param>
/// <param name="Special">Whether decoding may leave it out.</param>
/// <param name="Normalized">Whether it is looked for in normalized text, in its own normalized form.</param>
/// <param name="StripsLeft">Whether white space before it belongs to it.</param>
/// <param name="StripsRight">Whether white space behind it belongs to it.</param>
/// <param name="SingleWord">Whether it counts only where no word character touches it.</param>
internal sealed record AddedToken(string Content, bool Special, bool Normalized, bool StripsLeft, bool StripsRight, bool SingleWord);

/// <summary>A piece of a text: an added token, or what lies between two (<paramref name="Id"/> -1).</summary>
internal readonly record struct AddedPiece(int Id, int Start, int End);

/// <summary>Finds added tokens of one kind in texts: from left to right, at each place the longest.</summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<(int Node, char Unit), int> _nodes = [];
    private readonly List<int> _ends = [-1];
    private readonly Dictionary<int, AddedToken> _tokens;
    private readonly SearchValues<char> _first;

    /// <param name="forms">What to look for, with its id.</param>
    /// <param name="tokens">The tokens by id.</param>
    public AddedTokens(IEnumerable<(string Form, int Id)> forms, Dictionary<int, AddedToken> tokens)
    {
        _tokens = tokens;
        HashSet<char> first = [];
        foreach (var (form, id) in forms)
        {
            first.Add(form[0]);
            var node = 0;
            foreach (var unit in form)
            {
                ref var child = ref CollectionsMarshal.GetValueRefOrAddDefault(_nodes, (node, unit), out var exists);
                if (!exists)
                {
                    child = _ends.Count;
                    _ends.Add(-1);
                }

                node = child;
            }

            _ends[node] = id;
        }

        _first = SearchValues.Create([.. first]);
    }

    /// <summary>
    /// The pieces of a text, which together are the whole of it. White space that two tokens strip goes to the first. Only where a token is itself white space and does not strip to its left, it is found
    /// again in what the one before it has stripped, and the text goes on behind it: so the reference does.
    /// </summary>
    public void Split(string text, List<AddedPiece> into)
    {
        var done = 0;
        for (var from = 0; Next(text, ref from, out var id, out var end);)
        {
            var (start, stop) = (from, end);
            from = end;
            var token = _tokens[id];
            if (token.SingleWord && (IsWord(Characters.Before(text, start)) || IsWord(Characters.At(text, stop))))
                continue;
            if (token.StripsLeft)
            {
                while (start > done && char.IsWhiteSpace(text[start - 1]))
                    start--;
                start = Math.Max(start, done);
            }

            if (token.StripsRight)
                while (stop < text.Length && char.IsWhiteSpace(text[stop]))
                    stop++;
            if (done < start)
                into.Add(new(-1, done, start));
            if (start < stop)
                into.Add(new(id, start, stop));
            if (start <= stop)
                done = stop;
        }

        if (done < text.Length)
            into.Add(new(-1, done, text.Length));
    }

    private static bool IsWord(System.Text.Rune? rune) => rune is { } r && Characters.IsWord(r, true);

    private bool Next(string text, ref int from, out int id, out int end)
    {
        (id, end) = (-1, 0);
        for (; from < text.Length; from++)
        {
            var skip = text.AsSpan(from).IndexOfAny(_first);
            if (skip < 0)
                return false;
            from += skip;
            for (int node = 0, at = from; at < text.Length && _nodes.TryGetValue((node, text[at]), out node); at++)
                if (_ends[node] >= 0)
                    (id, end) = (_ends[node], at + 1);
            if (id >= 0)
                return true;
        }

        return false;
    }
}

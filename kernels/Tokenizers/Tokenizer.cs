using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>
/// The tokenizer of a base model, read from the files that Hugging Face's libraries write: texts to ids and back, id for id what <c>tokenizers</c> makes of them. Safe for any number of threads.
/// </summary>
/// <remarks>
/// A surrogate without its other half counts as U+FFFD, as it would in UTF-8. Texts never fail, with one exception: an expression of the file that backtracks for longer than
/// <see cref="TokenizerLimits.MatchTime"/> on one match ends in a <see cref="TimeoutException"/>.
/// </remarks>
public sealed class Tokenizer
{
    private readonly TokenizerParts _parts;
    private readonly AddedTokens? _asTheyAre;
    private readonly AddedTokens? _normalized;
    private readonly bool _asksForPlaces;

    internal Tokenizer(TokenizerParts parts)
    {
        _parts = parts;
        _asksForPlaces = parts.PreTokenizer?.AsksForPlaces ?? false;
        var forms = parts.Added.Tokens.ToLookup(t => t.Value.Normalized, t => (Form: parts.Added.Form(t.Key), Id: t.Key));
        _asTheyAre = forms[false].Any() ? new(forms[false], parts.Added.Tokens) : null;
        _normalized = forms[true].Any(f => f.Form.Length > 0) ? new(forms[true].Where(f => f.Form.Length > 0), parts.Added.Tokens) : null;
    }

    /// <summary>How many tokens there are, those added included.</summary>
    public int Count => _parts.Added.Count;

    /// <summary>The token that begins a text; null where the model has none.</summary>
    public int? BeginningId => _parts.BeginningId;

    /// <summary>The token that ends a text; null where the model has none.</summary>
    public int? EndId => _parts.EndId;

    /// <summary>The token that fills up rows; null where the model has none.</summary>
    public int? PaddingId => _parts.PaddingId;

    /// <summary>
    /// Reads a folder's tokenizer.json with, where they are there, tokenizer_config.json, special_tokens_map.json and config.json. As transformers does, <c>add_bos_token</c> and
    /// <c>add_eos_token</c> of tokenizer_config.json, once either is stated, take the place of tokenizer.json's post-processor.
    /// </summary>
    /// <returns>False where anything in the files is not understood; then <paramref name="problems"/> says what, and where.</returns>
    public static bool TryLoad(string folder, [NotNullWhen(true)] out Tokenizer? tokenizer, out ImmutableArray<TokenizerProblem> problems)
    {
        List<TokenizerProblem> found = [];
        var parts = TokenizerFolder.Read(folder, found);
        problems = [.. found];
        tokenizer = parts is not null && found.Count == 0 ? new(parts) : null;
        return tokenizer is not null;
    }

    /// <summary>The id of a token as the vocabulary spells it; null where there is none.</summary>
    public int? Find(string token) => _parts.Added.IdOf(token) is >= 0 and var id ? id : null;

    /// <summary>How the vocabulary spells a token; null for an id without one.</summary>
    public string? TokenOf(int id) => _parts.Added.TokenOf(id);

    /// <summary>Whether decoding may leave a token out.</summary>
    public bool IsSpecial(int id) => _parts.Added.Tokens.TryGetValue(id, out var token) && token.Special;

    /// <summary>The ids of a text.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="addSpecialTokens">Whether the tokens that the model expects around a text are added.</param>
    public int[] Encode(string text, bool addSpecialTokens)
    {
        List<int> ids = [];
        Run(text, _asksForPlaces, (token, _, _) => ids.Add(token.Id), (added, _) => ids.Add(added.Id));
        return _parts.PostProcessor.Apply(ids, addSpecialTokens);
    }

    /// <summary>The tokens of a text and what each stands for.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="addSpecialTokens">Whether the tokens that the model expects around a text are added.</param>
    public TokenEncoding EncodeWithOffsets(string text, bool addSpecialTokens)
    {
        List<int> ids = [];
        List<string> tokens = [];
        List<(int, int)> offsets = [];
        Run(
            text,
            true,
            (token, piece, stretch) =>
            {
                ids.Add(token.Id);
                tokens.Add(_parts.Model.Spell(token, stretch.Text.AsSpan(piece.Start, piece.End - piece.Start)));
                offsets.Add(stretch.Range(piece.Start + token.Start, piece.Start + token.End));
            },
            (added, stretch) =>
            {
                ids.Add(added.Id);
                tokens.Add(stretch.Text[added.Start..added.End]);
                offsets.Add(stretch.Range(added.Start, added.End));
            });
        return _parts.PostProcessor.Apply(ids, tokens, offsets, addSpecialTokens);
    }

    /// <summary>The text of ids; those that the vocabulary lacks leave no trace. Byte-level ids give back what was encoded; other models lose what their normalizer did.</summary>
    /// <param name="ids">Any ids.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        List<string> tokens = new(ids.Length);
        foreach (var id in ids)
            if (_parts.Added.FormOf(id) is { } token && !(skipSpecialTokens && IsSpecial(id)))
                tokens.Add(token);
        return _parts.Decoder is { } decoder ? string.Concat(decoder.Apply(tokens)) : string.Join(' ', tokens);
    }

    // From left to right: added tokens of the text as it is, normalizing, added tokens of the result, pieces, tokens.
    private void Run(string text, bool tracks, Action<ModelToken, Match, AlignedText> found, Action<AddedPiece, AlignedText> foundAdded)
    {
        var whole = AlignedText.Of(Characters.WithoutLoneSurrogates(text), 0, tracks);
        List<ModelToken> tokens = [];
        foreach (var outer in Split(_asTheyAre, whole))
        {
            if (outer.Id >= 0)
            {
                foundAdded(outer, whole);
                continue;
            }

            var stretch = whole.Slice(outer.Start, outer.End);
            var normalized = _parts.Normalizer?.Apply(stretch) ?? stretch;
            foreach (var inner in Split(_normalized, normalized))
            {
                if (inner.Id >= 0)
                {
                    foundAdded(inner, normalized);
                    continue;
                }

                var pieces = new Pieces(normalized.Slice(inner.Start, inner.End));
                _parts.PreTokenizer?.Apply(pieces);
                foreach (var piece in pieces.Ranges)
                {
                    tokens.Clear();
                    _parts.Model.Tokenize(pieces.Text.Text.AsSpan(piece.Start, piece.End - piece.Start), tokens);
                    foreach (var token in tokens)
                        found(token, piece, pieces.Text);
                }
            }
        }
    }

    private static List<AddedPiece> Split(AddedTokens? added, AlignedText text)
    {
        List<AddedPiece> pieces = [];
        if (added is not null)
            added.Split(text.Text, pieces);
        else if (text.Text.Length > 0)
            pieces.Add(new(-1, 0, text.Text.Length));
        return pieces;
    }
}

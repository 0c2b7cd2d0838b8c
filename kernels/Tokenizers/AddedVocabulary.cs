namespace Marketplace.Kernels.Tokenizers;

/// <summary>A model's vocabulary together with the tokens that were added to it.</summary>
internal sealed class AddedVocabulary(Vocabulary vocabulary, Normalizer? normalizer)
{
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<int, string> _forms = [];
    private readonly HashSet<string> _special = new(StringComparer.Ordinal);

    /// <summary>The added tokens by id.</summary>
    public Dictionary<int, AddedToken> Tokens { get; } = [];

    public int Count => vocabulary.Count + _ids.Keys.Count(t => vocabulary.IdOf(t) < 0);

    /// <summary>The id of an added token or of one of the model's; -1 where there is neither.</summary>
    public int IdOf(string token) => _ids.TryGetValue(token, out var id) ? id : vocabulary.IdOf(token);

    public string? TokenOf(int id) => Tokens.TryGetValue(id, out var token) ? token.Content : vocabulary.TokenOf(id);

    /// <summary>What an added token is looked for as: its normalized form, where that is what counts.</summary>
    public string Form(int id) => _forms.TryGetValue(id, out var form) ? form : Tokens[id].Content;

    /// <summary>What a decoder starts from: a token as it is found in normalized text.</summary>
    public string? FormOf(int id) => Tokens.ContainsKey(id) ? Form(id) : vocabulary.TokenOf(id);

    /// <summary>Adds a token or changes one's flags. One that the model knows keeps its id; others follow the largest.</summary>
    /// <returns>The id.</returns>
    public int Add(AddedToken token)
    {
        if (Tokens.Count == 0 && _ids.Count == 0)
            _next = vocabulary.Count;
        var id = IdOf(token.Content);
        if (id < 0)
            id = _next++;
        _ids[token.Content] = id;
        if (token.Special)
            _special.Add(token.Content);
        Tokens[id] = token with { Special = _special.Contains(token.Content) };
        _forms.Remove(id);
        if (token.Normalized && normalizer is not null)
            _forms[id] = normalizer.Apply(AlignedText.Of(token.Content, 0, false)).Text;
        return id;
    }

    private int _next;
}

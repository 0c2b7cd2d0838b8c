using System.Globalization;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>
/// What the files beside tokenizer.json say: which tokens begin, end and pad, further added tokens, and whether a beginning and an end are put around every text. What is absent in
/// tokenizer_config.json is looked for in special_tokens_map.json.
/// </summary>
internal sealed class SpecialTokens
{
    // In the order in which the reference adds those that its tokenizer does not know.
    private static readonly string[] Names = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    private static readonly string[] Lists = ["extra_special_tokens", "additional_special_tokens"];

    /// <summary>Content by name, such as <c>bos_token</c>.</summary>
    public Dictionary<string, string> Named { get; } = [];

    /// <summary>Tokens to add to those of tokenizer.json, with the id that a file states for them or -1.</summary>
    public List<(AddedToken Token, int Id, JsonPlace Place)> Added { get; } = [];

    /// <summary>Whether a beginning is to be added; null where the file leaves it to tokenizer.json.</summary>
    public bool? AddsBeginning { get; private set; }

    /// <summary>Whether an end is to be added; null where the file leaves it to tokenizer.json.</summary>
    public bool? AddsEnd { get; private set; }

    public static SpecialTokens Read(JsonPlace config, JsonPlace map)
    {
        var tokens = new SpecialTokens();
        foreach (var (id, place) in Members(config.Member("added_tokens_decoder")).OrderBy(m => m.Id))
            if (ReadToken(place) is { } token)
                tokens.Added.Add((token, id, place));
        foreach (var name in Names)
            tokens.ReadNamed(name, config.Member(name).IsNull ? map.Member(name) : config.Member(name));
        foreach (var name in Lists)
        {
            var place = config.Member(name).IsNull ? map.Member(name) : config.Member(name);
            // Multimodal models name theirs.
            var items = place.IsNull ? [] : place.IsObject ? place.Members().Select(m => m.Value) : place.Items();
            foreach (var item in items)
                tokens.ReadExtra(item);
        }

        var (beginning, end) = (config.Member("add_bos_token"), config.Member("add_eos_token"));
        // To say one of the two is to say both.
        if (!beginning.IsNull || !end.IsNull)
            (tokens.AddsBeginning, tokens.AddsEnd) = (beginning.Flag(false), end.Flag(false));
        return tokens;
    }

    private void ReadNamed(string name, JsonPlace place)
    {
        if (ReadExtra(place) is { } content)
            Named[name] = content;
    }

    // A name alone is a special token, found in the text as it is.
    private string? ReadExtra(JsonPlace place)
    {
        if (place.IsNull)
            return null;
        var token = place.IsObject ? ReadToken(place) : place.Text() is { Length: > 0 } content ? new(content, true, false, false, false, false) : null;
        if (token is not null && !Added.Any(a => a.Token.Content == token.Content))
            Added.Add((token with { Special = true }, -1, place));
        return token?.Content;
    }

    /// <summary>An added token as an object; its flags may be absent.</summary>
    public static AddedToken? ReadToken(JsonPlace place)
    {
        if (place.Member("content").Text() is not { } content)
            return null;
        if (content.Length > TokenizerLimits.AddedTokenLength)
        {
            place.Fail(TokenizerProblems.LimitExceeded, $"An added token has at most {TokenizerLimits.AddedTokenLength} characters.");
            return null;
        }

        var special = place.Member("special").Flag(false);
        return new(
            content, special, place.Member("normalized").Flag(!special), place.Member("lstrip").Flag(false), place.Member("rstrip").Flag(false), place.Member("single_word").Flag(false));
    }

    private static IEnumerable<(int Id, JsonPlace Place)> Members(JsonPlace place)
    {
        if (place.IsNull)
            yield break;
        foreach (var (name, value) in place.Members())
        {
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
                yield return (id, value);
            else
                value.Fail(TokenizerProblems.FieldInvalid, $"{name} is no id.");
        }
    }
}

namespace Marketplace.Kernels.Tokenizers;

/// <summary>Reads <c>normalizer</c> of tokenizer.json.</summary>
internal static class NormalizerReader
{
    /// <summary>The normalizer; null where the file has none, and where there are problems.</summary>
    public static Normalizer? Read(JsonPlace place, int depth = 0)
    {
        if (place.IsNull)
            return null;
        switch (place.Member("type").Text())
        {
            case null:
                return null;
            case "Sequence":
                var steps = Parts.Read(place.Member("normalizers"), depth, Read);
                return steps.Count == 0 ? null : new NormalizerSequence(steps);
            case "NFC":
                return new UnicodeForm(false, true);
            case "NFD":
                return new UnicodeForm(false, false);
            case "NFKC":
                return new UnicodeForm(true, true);
            case "NFKD":
                return new UnicodeForm(true, false);
            case "Lowercase":
                return CharacterNormalizer.Lowercase;
            case "StripAccents":
                return CharacterNormalizer.StripAccents;
            case "Nmt":
                return CharacterNormalizer.Nmt;
            case "Strip":
                return new StripNormalizer(place.Member("strip_left").Flag(), place.Member("strip_right").Flag());
            case "Prepend":
                return place.Member("prepend").Text() is { Length: > 0 } prefix ? new PrependNormalizer(prefix) : null;
            case "Replace":
                return Parts.Pattern(place.Member("pattern")) is { } pattern && place.Member("content").Text() is { } content ? new ReplaceNormalizer(pattern, content) : null;
            case "ByteLevel":
                return new ByteLevelNormalizer();
            case "Precompiled":
                return Precompiled(place.Member("precompiled_charsmap"));
            case var other:
                place.Fail(TokenizerProblems.NormalizerUnsupported, $"The normalizer {other} is not implemented.");
                return null;
        }
    }

    private static PrecompiledNormalizer? Precompiled(JsonPlace place)
    {
        if (place.Text() is not { } text)
            return null;
        var map = new byte[text.Length];
        if (Convert.TryFromBase64String(text, map, out var length) && PrecompiledNormalizer.TryCreate(map.AsSpan(0, length)) is { } normalizer)
            return normalizer;
        place.Fail(TokenizerProblems.FieldInvalid, "This is no compiled map of characters in base 64.");
        return null;
    }
}

/// <summary>What the readers of parts share.</summary>
internal static class Parts
{
    private const int Depth = 8;

    /// <summary>The parts of a sequence, without those that have problems or do nothing.</summary>
    public static List<T> Read<T>(JsonPlace place, int depth, Func<JsonPlace, int, T?> read) where T : class
    {
        List<T> parts = [];
        foreach (var item in place.Items())
        {
            if (depth >= Depth || parts.Count >= TokenizerLimits.Parts)
            {
                item.Fail(TokenizerProblems.LimitExceeded, $"A sequence has at most {TokenizerLimits.Parts} parts, and at most {Depth} stand inside one another.");
                break;
            }

            if (item.IsNull)
                item.Fail(TokenizerProblems.FieldMissing, "A part of a sequence is missing.");
            else if (read(item, depth + 1) is { } part)
                parts.Add(part);
        }

        return parts;
    }

    /// <summary>A pattern: <c>{"String": …}</c> or <c>{"Regex": …}</c>.</summary>
    public static TextPattern? Pattern(JsonPlace place)
    {
        var literal = place.Member("String");
        if (!literal.IsNull)
        {
            if (literal.Text() is not { } text)
                return null;
            if (text.Length is > 0 and <= TokenizerLimits.PatternLength)
                return new LiteralPattern(text);
            literal.Fail(TokenizerProblems.PatternUnsupported, "A text to look for is empty or too long.");
            return null;
        }

        var regex = place.Member("Regex");
        if (regex.Text() is not { } expression)
            return null;
        if (RegexPattern.TryCreate(expression, out var reason) is { } pattern)
            return pattern;
        regex.Fail(TokenizerProblems.PatternUnsupported, reason);
        return null;
    }

    /// <summary>A single character.</summary>
    public static string? Character(JsonPlace place)
    {
        if (place.Text() is not { } text)
            return null;
        if (text.Length > 0 && text.EnumerateRunes().Count() == 1)
            return text;
        place.Fail(TokenizerProblems.FieldInvalid, "Here should be one character.");
        return null;
    }

    /// <summary>Adds a problem where a text could grow out of bounds.</summary>
    public static void Limit(JsonPlace place, double? growth)
    {
        if (growth > TokenizerLimits.Growth)
            place.Fail(TokenizerProblems.LimitExceeded, $"These steps together could make a text more than {TokenizerLimits.Growth} times as long.");
    }

    /// <summary>One of the names of an enumeration.</summary>
    public static T? OneOf<T>(JsonPlace place, T? absent, params ReadOnlySpan<(string Name, T Value)> choices) where T : struct
    {
        if (place.IsNull && absent is not null)
            return absent;
        if (place.Text() is not { } text)
            return null;
        foreach (var (name, value) in choices)
            if (name == text)
                return value;
        place.Fail(TokenizerProblems.FieldInvalid, $"{text} is none of the values known here.");
        return null;
    }
}

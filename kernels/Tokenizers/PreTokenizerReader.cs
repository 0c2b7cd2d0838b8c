namespace Marketplace.Kernels.Tokenizers;

/// <summary>Reads <c>pre_tokenizer</c> of tokenizer.json.</summary>
internal static class PreTokenizerReader
{
    /// <summary>The pre-tokenizer; null where the file has none, and where there are problems.</summary>
    public static PreTokenizer? Read(JsonPlace place, int depth = 0)
    {
        if (place.IsNull)
            return null;
        switch (place.Member("type").Text())
        {
            case null:
                return null;
            case "Sequence":
                var steps = Parts.Read(place.Member("pretokenizers"), depth, Read);
                return steps.Count == 0 ? null : new PreTokenizerSequence(steps);
            case "ByteLevel":
                return new ByteLevelPreTokenizer(place.Member("add_prefix_space").Flag(), place.Member("use_regex").Flag(true));
            case "Metaspace":
                return Metaspace(place) is var (replacement, scheme) ? new MetaspacePreTokenizer(replacement, scheme, place.Member("split").Flag(true)) : null;
            case "Split":
                var pattern = Parts.Pattern(place.Member("pattern"));
                var inverted = place.Member("invert").Flag();
                return Behaviour(place.Member("behavior"), null) is { } behaviour && pattern is not null ? new SplitPreTokenizer(pattern, behaviour, inverted) : null;
            case "Whitespace":
                return SplitPreTokenizer.Whitespace;
            case "WhitespaceSplit":
                return SplitPreTokenizer.WhitespaceSplit;
            case "Digits":
                return SplitPreTokenizer.Digits(place.Member("individual_digits").Flag());
            case "Punctuation":
                return Behaviour(place.Member("behavior"), SplitBehaviour.Isolated) is { } around ? SplitPreTokenizer.Punctuation(around) : null;
            case var other:
                place.Fail(TokenizerProblems.PreTokenizerUnsupported, $"The pre-tokenizer {other} is not implemented.");
                return null;
        }
    }

    /// <summary>The fields that a metaspace pre-tokenizer and decoder share.</summary>
    public static (string Replacement, PrependScheme Scheme)? Metaspace(JsonPlace place)
    {
        var replacement = Parts.Character(place.Member("replacement"));
        var scheme = Parts.OneOf(
            place.Member("prepend_scheme"), PrependScheme.Always, ("always", PrependScheme.Always), ("first", PrependScheme.First), ("never", PrependScheme.Never));
        // Files older than schemes say only whether there is a space.
        var older = place.Member("add_prefix_space");
        if (!older.Flag(true))
        {
            if (scheme is PrependScheme.First || (scheme is PrependScheme.Always && !place.Member("prepend_scheme").IsNull))
                older.Fail(TokenizerProblems.FieldInvalid, "The scheme of prepending says otherwise.");
            scheme = PrependScheme.Never;
        }

        return replacement is not null && scheme is not null ? (replacement, scheme.Value) : null;
    }

    private static SplitBehaviour? Behaviour(JsonPlace place, SplitBehaviour? absent) => Parts.OneOf(
        place, absent, ("Removed", SplitBehaviour.Removed), ("Isolated", SplitBehaviour.Isolated), ("MergedWithPrevious", SplitBehaviour.MergedWithPrevious),
        ("MergedWithNext", SplitBehaviour.MergedWithNext), ("Contiguous", SplitBehaviour.Contiguous));
}

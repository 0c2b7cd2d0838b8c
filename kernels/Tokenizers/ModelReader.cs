using System.Text.Json;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>Reads <c>model</c> of tokenizer.json.</summary>
internal static class ModelReader
{
    /// <summary>The model; null where there are problems.</summary>
    public static TokenModel? Read(JsonPlace place)
    {
        // Older files don't name the model; only a BPE has merges, only a Unigram lists its vocabulary.
        var type = place.Member("type").IsNull && place.IsObject
            ? !place.Member("merges").IsNull ? "BPE" : place.Member("vocab").IsArray ? "Unigram" : null
            : null;
        switch (type ?? place.Member("type").Text())
        {
            case null:
                return null;
            case "BPE":
                return Bpe(place);
            case "Unigram":
                return Unigram(place);
            case "WordLevel":
                return WordLevel(place);
            case var other:
                place.Fail(TokenizerProblems.ModelUnsupported, $"The model {other} is not implemented.");
                return null;
        }
    }

    private static BpeModel? Bpe(JsonPlace place)
    {
        var dropout = place.Member("dropout");
        if (!dropout.IsNull && dropout.Number() is not 0)
            dropout.Fail(TokenizerProblems.ModelUnsupported, "Leaving out merges at random is not implemented.");
        BpeOptions options = new()
        {
            FusesUnknown = place.Member("fuse_unk").Flag(false),
            FallsBackToBytes = place.Member("byte_fallback").Flag(false),
            IgnoresMerges = place.Member("ignore_merges").Flag(false),
            Prefix = place.Member("continuing_subword_prefix").OptionalText() ?? "",
            Suffix = place.Member("end_of_word_suffix").OptionalText() ?? "",
        };
        if (Vocabulary(place.Member("vocab")) is not { } vocabulary || Merges(place.Member("merges"), vocabulary, options.Prefix.Length) is not { } merges)
            return null;
        return new(vocabulary, merges, options with { Unknown = Unknown(place.Member("unk_token"), vocabulary) });
    }

    private static int Unknown(JsonPlace place, Vocabulary vocabulary)
    {
        if (place.OptionalText() is not { } token)
            return -1;
        var id = vocabulary.IdOf(token);
        // GPT-2's own file has an empty one; with a token for every byte none is needed.
        if (id < 0 && !(token.Length == 0 && Enumerable.Range(0, 256).All(b => vocabulary.IdOf([ByteLetters.Of((byte)b)]) >= 0)))
            place.Fail(TokenizerProblems.UnknownTokenMissing, "The vocabulary lacks the unknown token.");
        return id;
    }

    private static MergeTable? Merges(JsonPlace place, Vocabulary vocabulary, int prefix)
    {
        if (!place.IsArray || place.Element.GetArrayLength() > TokenizerLimits.Merges)
        {
            place.Fail(place.IsArray ? TokenizerProblems.LimitExceeded : TokenizerProblems.FieldMissing, $"Here should be an array of at most {TokenizerLimits.Merges} merges.");
            return null;
        }

        Dictionary<long, (int Rank, int Id)> merges = new(place.Element.GetArrayLength());
        var rank = 0;
        foreach (var item in place.Items())
        {
            if (Merge(item, out var skipped) is not (var left, var right))
            {
                if (skipped)
                    continue;
                item.Fail(TokenizerProblems.FieldInvalid, "A merge is two tokens.");
                return null;
            }

            var (l, r) = (vocabulary.IdOf(left), vocabulary.IdOf(right));
            var id = l >= 0 && r >= 0 && right.Length >= prefix ? vocabulary.IdOf(left + right[prefix..]) : -1;
            if (id < 0)
            {
                item.Fail(TokenizerProblems.MergeUnknown, "The vocabulary lacks a part of this merge, or its result.");
                return null;
            }

            merges[MergeTable.Pair(l, r)] = (rank++, id);
        }

        return new(merges);
    }

    private static (string Left, string Right)? Merge(JsonPlace item, out bool skipped)
    {
        skipped = false;
        if (item.IsArray)
        {
            var parts = item.Items().Take(3).ToList();
            return parts.Count == 2 && parts[0].Text() is { } l && parts[1].Text() is { } r ? (l, r) : null;
        }

        if (item.Element.ValueKind is not JsonValueKind.String || item.Text() is not { } line)
            return null;
        skipped = line.StartsWith("#version", StringComparison.Ordinal);
        return !skipped && line.Split(' ') is [var left, var right] ? (left, right) : null;
    }

    private static UnigramModel? Unigram(JsonPlace place)
    {
        var list = place.Member("vocab");
        if (!list.IsArray || list.Element.GetArrayLength() is 0 or > TokenizerLimits.Tokens)
        {
            list.Fail(list.IsArray ? TokenizerProblems.LimitExceeded : TokenizerProblems.FieldMissing, $"Here should be an array of 1 to {TokenizerLimits.Tokens} tokens with their scores.");
            return null;
        }

        var scores = new double[list.Element.GetArrayLength()];
        Dictionary<string, int> ids = new(scores.Length, StringComparer.Ordinal);
        foreach (var item in list.Items())
        {
            var pair = item.Items().Take(3).ToList();
            if (pair.Count != 2)
                item.Fail(TokenizerProblems.FieldInvalid, "Here should be a token and its score.");
            if (pair.Count != 2 || pair[0].Text() is not { } token || pair[1].Number() is not { } score || !Add(pair[0], ids, token, ids.Count))
                return null;
            scores[ids.Count - 1] = score;
        }

        var unknown = place.Member("unk_id");
        if (unknown.IsNull)
            unknown.Fail(TokenizerProblems.UnknownTokenMissing, "Without an unknown token there are texts that have no tokens.");
        return !unknown.IsNull && unknown.Integer(0, scores.Length - 1) is { } id ? new(new(ids), scores, id, place.Member("byte_fallback").Flag(false)) : null;
    }

    private static WordLevelModel? WordLevel(JsonPlace place)
    {
        var unknown = place.Member("unk_token");
        if (Vocabulary(place.Member("vocab")) is not { } vocabulary || unknown.Text() is not { } token)
            return null;
        var id = vocabulary.IdOf(token);
        if (id < 0)
            unknown.Fail(TokenizerProblems.UnknownTokenMissing, "The vocabulary lacks the unknown token.");
        return new(vocabulary, id);
    }

    private static Vocabulary? Vocabulary(JsonPlace place)
    {
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        HashSet<int> taken = [];
        foreach (var (token, value) in place.Members())
        {
            if (value.Element.ValueKind is not JsonValueKind.Number || !value.Element.TryGetInt32(out var id) || id < 0)
            {
                place.Fail(TokenizerProblems.FieldInvalid, $"The id of {token} is no integer from 0.");
                return null;
            }

            if (!taken.Add(id))
            {
                place.Fail(TokenizerProblems.VocabularyInvalid, $"Two tokens have the id {id}.");
                return null;
            }

            if (!Add(place, ids, token, id))
                return null;
        }

        return place.IsObject ? new(ids) : null;
    }

    private static bool Add(JsonPlace place, Dictionary<string, int> ids, string token, int id)
    {
        if (ids.Count >= TokenizerLimits.Tokens || token.Length > TokenizerLimits.TokenLength)
            place.Fail(TokenizerProblems.LimitExceeded, $"A vocabulary has at most {TokenizerLimits.Tokens} tokens of at most {TokenizerLimits.TokenLength} characters.");
        else if (ids.TryAdd(token, id))
            return true;
        else
            place.Fail(TokenizerProblems.VocabularyInvalid, $"The token {token} is there twice.");
        return false;
    }
}

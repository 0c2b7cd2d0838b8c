using System.Text.Json;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>What a tokenizer is made of.</summary>
internal sealed record TokenizerParts(TokenModel Model, AddedVocabulary Added, Normalizer? Normalizer, PreTokenizer? PreTokenizer, PostProcessor PostProcessor, Decoder? Decoder)
{
    public int? BeginningId { get; init; }

    public int? EndId { get; init; }

    public int? PaddingId { get; init; }
}

/// <summary>Reads the files of a folder.</summary>
internal static class TokenizerFolder
{
    private const string Main = "tokenizer.json";

    /// <summary>The parts; null, or with problems added, where something is not understood.</summary>
    public static TokenizerParts? Read(string folder, List<TokenizerProblem> problems)
    {
        using var main = Open(folder, Main, problems);
        using var config = Open(folder, "tokenizer_config.json", problems);
        using var map = Open(folder, "special_tokens_map.json", problems);
        using var model = Open(folder, "config.json", problems);
        if (main is null)
        {
            if (!File.Exists(Path.Combine(folder, Main)))
                problems.Add(new(TokenizerProblems.FileMissing, "The folder has no tokenizer.json.", Main));
            return null;
        }

        var file = new JsonPlace(main.RootElement, Main, "", problems);
        var special = SpecialTokens.Read(Place(config, "tokenizer_config.json"), Place(map, "special_tokens_map.json"));
        return Read(file, special, Place(model, "config.json"));

        JsonPlace Place(JsonDocument? document, string name) => new(document?.RootElement ?? default, name, "", problems);
    }

    private static TokenizerParts? Read(JsonPlace file, SpecialTokens special, JsonPlace config)
    {
        var version = file.Member("version");
        if (!version.IsNull && version.Text() is not "1.0")
            version.Fail(TokenizerProblems.VersionUnsupported, "Only version 1.0 of the format is known.");
        var normalizer = NormalizerReader.Read(file.Member("normalizer"));
        var preTokenizer = PreTokenizerReader.Read(file.Member("pre_tokenizer"));
        var postProcessor = PostProcessorReader.Read(file.Member("post_processor"));
        var decoder = DecoderReader.Read(file.Member("decoder"));
        Parts.Limit(file.Member("normalizer"), normalizer?.Growth);
        Parts.Limit(file.Member("pre_tokenizer"), preTokenizer?.Growth);
        Parts.Limit(file.Member("decoder"), decoder?.Growth);
        if (file.Member("model").IsNull)
            file.Member("model").Fail(TokenizerProblems.FieldMissing, "Here should be a model.");
        if (file.Member("model").IsNull || ModelReader.Read(file.Member("model")) is not { } model)
            return null;

        var added = Added(file.Member("added_tokens"), special, new(model.Vocabulary, normalizer));
        if (special.AddsBeginning is { } beginning && special.AddsEnd is { } end)
            postProcessor = PostProcessor.Around(beginning ? Part("bos_token") : null, end ? Part("eos_token") : null);
        return new(model, added, normalizer, preTokenizer, postProcessor, decoder)
        {
            BeginningId = Id("bos_token"),
            EndId = Id("eos_token"),
            PaddingId = Id("pad_token"),
        };

        PostProcessor.Part? Part(string name) => special.Named.TryGetValue(name, out var token) ? new(added.IdOf(token), token) : null;

        int? Id(string name) => Part(name)?.Id ?? FromModel(config.Member(name + "_id"));
    }

    // Of several ends the first one counts.
    private static int? FromModel(JsonPlace place)
    {
        var one = place.IsArray ? place.Items().FirstOrDefault() : place;
        return one.IsNull ? null : one.Integer(-1, int.MaxValue) is >= 0 and var id ? id : null;
    }

    private static AddedVocabulary Added(JsonPlace list, SpecialTokens special, AddedVocabulary added)
    {
        if (!list.IsNull)
            foreach (var item in list.Items())
                if (SpecialTokens.ReadToken(item) is { } token)
                    Add(token, item.Member("id").Integer(0, int.MaxValue) ?? 0, item);
        foreach (var (token, id, place) in special.Added)
        {
            // A name without an object only makes sure that the token is there.
            if (id >= 0 || !added.Tokens.TryGetValue(added.IdOf(token.Content), out var known))
                Add(token, id, place);
            else if (!known.Special)
                Add(known with { Special = true }, id, place);
        }

        foreach (var same in added.Tokens.Where(t => t.Value.Normalized).GroupBy(t => added.Form(t.Key), t => t.Value.Content).Where(g => g.Count() > 1))
            list.Fail(TokenizerProblems.AddedTokenInvalid, $"Once normalized the tokens {string.Join(" and ", same.Order(StringComparer.Ordinal))} look the same.");
        return added;

        void Add(AddedToken token, int stated, JsonPlace place)
        {
            if (token.Content.Length == 0)
                return;
            var id = added.Add(token);
            if (stated >= 0 && stated != id)
                place.Fail(TokenizerProblems.AddedTokenInvalid, $"The token {token.Content} states the id {stated} and would be given {id}.");
            if (added.Count > TokenizerLimits.Tokens)
                place.Fail(TokenizerProblems.LimitExceeded, $"There are more than {TokenizerLimits.Tokens} tokens.");
        }
    }

    private static JsonDocument? Open(string folder, string name, List<TokenizerProblem> problems)
    {
        var path = Path.Combine(folder, name);
        if (!File.Exists(path))
            return null;
        if (new FileInfo(path).Length > TokenizerLimits.FileBytes)
        {
            problems.Add(new(TokenizerProblems.LimitExceeded, $"The file is larger than {TokenizerLimits.FileBytes} bytes.", name));
            return null;
        }

        try
        {
            using var stream = File.OpenRead(path);
            return JsonDocument.Parse(stream);
        }
        catch (JsonException e)
        {
            problems.Add(new(TokenizerProblems.NotJson, e.Message, name));
            return null;
        }
    }
}

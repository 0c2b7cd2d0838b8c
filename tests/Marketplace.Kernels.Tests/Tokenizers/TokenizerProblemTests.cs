using System.Text.Json.Nodes;
using Marketplace.Kernels.Tokenizers;
using static Marketplace.Kernels.Tokenizers.TokenizerProblems;

namespace Marketplace.Kernels.Tests.Tokenizers;

/// <summary>What is not understood is said, with a code and its place; nothing is passed over.</summary>
public class TokenizerProblemTests
{
    private const string Gpt2 = "bytelevel_gpt2";
    private const string Fallback = "bpe_byte_fallback";
    private const string Unigram = "unigram_metaspace";

    private static readonly (string Code, string Place, string Family, Action<JsonObject> Change)[] Cases =
    [
        (VersionUnsupported, "version", Gpt2, j => j["version"] = "2.0"),
        (FieldMissing, "model", Gpt2, j => j.Remove("model")),
        (FieldMissing, "model.type", Gpt2, j => j["model"] = new JsonObject { ["vocab"] = new JsonObject() }),
        (ModelUnsupported, "model", Gpt2, j => j["model"]!["type"] = "WordPiece"),
        (ModelUnsupported, "model.dropout", Gpt2, j => j["model"]!["dropout"] = 0.1),
        (NormalizerUnsupported, "normalizer", Gpt2, j => j["normalizer"] = Part("BertNormalizer")),
        (NormalizerUnsupported, "normalizer.normalizers[1]", Unigram, j => j["normalizer"]!["normalizers"]![1] = Part("Unheard")),
        (FieldMissing, "normalizer.type", Gpt2, j => j["normalizer"] = new JsonObject()),
        (FieldInvalid, "normalizer.precompiled_charsmap", Gpt2, j => j["normalizer"] = With("Precompiled", "precompiled_charsmap", "AAAA")),
        (PreTokenizerUnsupported, "pre_tokenizer", Gpt2, j => j["pre_tokenizer"] = Part("UnicodeScripts")),
        (FieldInvalid, "pre_tokenizer.prepend_scheme", Unigram, j => j["pre_tokenizer"]!["prepend_scheme"] = "sometimes"),
        (FieldInvalid, "pre_tokenizer.replacement", Unigram, j => j["pre_tokenizer"]!["replacement"] = "__"),
        (FieldInvalid, "pre_tokenizer.add_prefix_space", Unigram, j => j["pre_tokenizer"]!["add_prefix_space"] = false),
        (FieldMissing, "pre_tokenizer.pretokenizers[0].invert", "bytelevel_split", j => j["pre_tokenizer"]!["pretokenizers"]![0]!.AsObject().Remove("invert")),
        (PatternUnsupported, "pre_tokenizer.pretokenizers[0].pattern.Regex", "bytelevel_split", j => j["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!["Regex"] = @"(a)\1"),
        (PatternUnsupported, "normalizer.normalizers[1].pattern.String", Fallback, j => j["normalizer"]!["normalizers"]![1]!["pattern"]!["String"] = ""),
        (PostProcessorUnsupported, "post_processor", Gpt2, j => j["post_processor"] = Part("Unheard")),
        (PostProcessorUnsupported, "post_processor.processors[1]", Fallback, j => j["post_processor"] =
            new JsonObject { ["type"] = "Sequence", ["processors"] = new JsonArray(j["post_processor"]!.DeepClone(), j["post_processor"]!.DeepClone()) }),
        (FieldMissing, "post_processor.single[0].SpecialToken", Fallback, j => j["post_processor"]!["special_tokens"] = new JsonObject()),
        (FieldInvalid, "post_processor.single[1]", Fallback, j => j["post_processor"]!["single"]![1]!["Sequence"]!["id"] = "B"),
        (DecoderUnsupported, "decoder", Gpt2, j => j["decoder"] = Part("CTC")),
        (FieldInvalid, "decoder.decoders[3].start", Fallback, j => j["decoder"]!["decoders"]![3]!["start"] = -1),
        (VocabularyInvalid, "model.vocab", Gpt2, j => j["model"]!["vocab"]!["new"] = 5),
        (VocabularyInvalid, "model.vocab[3][0]", Unigram, j => j["model"]!["vocab"]![3]![0] = "<s>"),
        (FieldInvalid, "model.vocab", Gpt2, j => j["model"]!["vocab"]!["new"] = -5),
        (FieldInvalid, "model.vocab[3][1]", Unigram, j => j["model"]!["vocab"]![3]![1] = "likely"),
        (MergeUnknown, "model.merges[2]", Gpt2, j => j["model"]!["merges"]![2] = new JsonArray("e", "no such token")),
        (FieldInvalid, "model.merges[2]", Gpt2, j => j["model"]!["merges"]![2] = "e r s"),
        (UnknownTokenMissing, "model.unk_token", Fallback, j => j["model"]!["unk_token"] = "<none>"),
        (UnknownTokenMissing, "model.unk_id", Unigram, j => j["model"]!["unk_id"] = null),
        (AddedTokenInvalid, "added_tokens[1]", Gpt2, j => j["added_tokens"]![1]!["id"] = 77),
        (AddedTokenInvalid, "added_tokens", Gpt2, j =>
        {
            j["normalizer"] = Part("Lowercase");
            Add(j, new JsonObject { ["id"] = 758, ["content"] = "Tool", ["special"] = false, ["normalized"] = true });
            Add(j, new JsonObject { ["id"] = 759, ["content"] = "TOOL", ["special"] = false, ["normalized"] = true });
        }),
        (LimitExceeded, "added_tokens[2]", Gpt2, j => Add(j, new JsonObject { ["id"] = 758, ["content"] = new string('x', 1025), ["special"] = true })),
        (LimitExceeded, "model.vocab", Gpt2, j => j["model"]!["vocab"]![new string('x', 4097)] = 758),
        (LimitExceeded, "normalizer", Gpt2, j => j["normalizer"] = Often("Sequence", "normalizers", new() { ["type"] = "Replace", ["pattern"] = new JsonObject { ["String"] = "a" }, ["content"] = "aa" })),
        (LimitExceeded, "pre_tokenizer", Gpt2, j => j["pre_tokenizer"] = Often("Sequence", "pretokenizers", new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false })),
        (LimitExceeded, "decoder", Gpt2, j => j["decoder"] = Often("Sequence", "decoders", new() { ["type"] = "Replace", ["pattern"] = new JsonObject { ["Regex"] = "a*" }, ["content"] = "aa" })),
        (LimitExceeded, "normalizer.normalizers[64]", Gpt2, j => j["normalizer"] =
            new JsonObject { ["type"] = "Sequence", ["normalizers"] = new JsonArray([.. Enumerable.Range(0, 65).Select(_ => (JsonNode)Part("Nmt"))]) }),
    ];

    public static TheoryData<int> Indices => [.. Enumerable.Range(0, Cases.Length)];

    [Theory]
    [MemberData(nameof(Indices))]
    public void A_change_that_can_t_be_followed_is_reported_at_its_place(int index)
    {
        var (code, place, family, change) = Cases[index];
        Assert.False(TokenizerFixtures.TryLoad(family, change, out var tokenizer, out var problems));
        Assert.Null(tokenizer);
        Assert.Equal([(code, $"tokenizer.json: {place}")], problems.Select(p => (p.Code, p.Place)));
        Assert.All(problems, p => Assert.NotEmpty(p.Message));
    }

    [Fact]
    public void Every_code_is_met_by_a_test()
    {
        var codes = typeof(TokenizerProblems).GetFields().Select(f => (string)f.GetRawConstantValue()!).ToList();
        Assert.Equal(codes.Order(), Cases.Select(c => c.Code).Append(FileMissing).Append(NotJson).Distinct().Order());
        Assert.Equal(codes.Count, codes.Distinct().Count());
    }

    [Fact]
    public void A_folder_without_the_file_or_with_another_one_is_reported()
    {
        Assert.False(TokenizerFixtures.TryLoad([], out _, out var problems));
        Assert.Equal(new(FileMissing, problems[0].Message, "tokenizer.json"), Assert.Single(problems));
        Assert.False(TokenizerFixtures.TryLoad([("tokenizer.json", "{")], out _, out problems));
        Assert.Equal((NotJson, "tokenizer.json"), (problems.Single().Code, problems.Single().Place));
        Assert.False(TokenizerFixtures.TryLoad([("tokenizer.json", "[]")], out _, out problems));
        Assert.NotEmpty(problems);
        Assert.False(TokenizerFixtures.TryLoad(Gpt2, _ => { }, out _, out problems, ("tokenizer_config.json", "nonsense")));
        Assert.Equal((NotJson, "tokenizer_config.json"), (problems.Single().Code, problems.Single().Place));
        Assert.False(TokenizerFixtures.TryLoad(Gpt2, _ => { }, out _, out problems, ("tokenizer_config.json", """{"bos_token":5}""")));
        Assert.Equal((FieldInvalid, "tokenizer_config.json: bos_token"), (problems.Single().Code, problems.Single().Place));
    }

    [Fact]
    public void All_problems_are_reported_at_once()
    {
        Assert.False(TokenizerFixtures.TryLoad(
            Gpt2, j => (j["normalizer"], j["pre_tokenizer"], j["decoder"]) = (Part("Unheard"), Part("Unheard"), Part("Unheard")), out _, out var problems));
        Assert.Equal([NormalizerUnsupported, PreTokenizerUnsupported, DecoderUnsupported], problems.Select(p => p.Code));
    }

    [Theory]
    [InlineData("""{"model":{"type":"BPE","vocab":[],"merges":[]}}""")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":1e300},"merges":[]}}""")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[["a"]],"unk_id":0}}""")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[],"unk_id":0}}""")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":1}}""")]
    [InlineData("""{"model":7}""")]
    [InlineData("""{"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"b"}}""")]
    [InlineData("""{"added_tokens":{},"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}""")]
    [InlineData("""{"added_tokens":[5],"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}""")]
    [InlineData("""{"model":{"type":"WordLevel","vocab":{"\ud800":0},"unk_token":"\ud800"}}""")]
    [InlineData("""{"model":{"type":"WordLevel","vocab":{"a":0,"a":1},"unk_token":"a"}}""")]
    public void Files_that_are_wrong_all_over_end_in_problems_not_exceptions(string json)
    {
        Assert.False(TokenizerFixtures.TryLoad([("tokenizer.json", json)], out _, out var problems));
        Assert.NotEmpty(problems);
    }

    private static JsonObject Part(string type) => new() { ["type"] = type };

    private static JsonObject Often(string type, string field, JsonObject part) =>
        new() { ["type"] = type, [field] = new JsonArray([.. Enumerable.Range(0, 20).Select(_ => part.DeepClone())]) };

    private static JsonObject With(string type, string field, string value) => new() { ["type"] = type, [field] = value };

    private static void Add(JsonObject json, JsonObject token) => json["added_tokens"]!.AsArray().Add((JsonNode)token);
}

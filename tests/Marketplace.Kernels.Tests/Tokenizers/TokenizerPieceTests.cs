using System.Text.Json;
using System.Text.Json.Nodes;

namespace Marketplace.Kernels.Tests.Tokenizers;

/// <summary>
/// Normalizers, pre-tokenizers, added tokens and random models one at a time, against ids recorded with the tokenizers library. The model of most cases spells letters at the beginning of a piece
/// differently from those inside one, so that ids tell where pieces begin; texts are full of what Unicode has to trip over.
/// </summary>
public class TokenizerPieceTests
{
    private static readonly JsonObject File = JsonNode.Parse(System.IO.File.ReadAllText(TokenizerFixtures.Folder("pieces.json")))!.AsObject();

    public static TheoryData<string> Names => [.. File["cases"]!.AsArray().Select(c => c!["name"]!.GetValue<string>())];

    [Theory]
    [MemberData(nameof(Names))]
    public void Ids_are_those_of_the_reference(string name)
    {
        var one = File["cases"]!.AsArray().Single(c => c!["name"]!.GetValue<string>() == name)!.AsObject();
        JsonObject json = new()
        {
            ["version"] = "1.0",
            ["decoder"] = JsonNode.Parse("""{"type":"ByteLevel"}"""),
            ["model"] = File["model"]!.DeepClone(),
        };
        foreach (var part in new[] { "normalizer", "pre_tokenizer", "added_tokens", "model", "decoder" })
            if (one[part] is { } own)
                json[part] = own.DeepClone();
        Assert.True(TokenizerFixtures.TryLoad([("tokenizer.json", json.ToJsonString())], out var tokenizer, out var problems), string.Join<object>('\n', problems));

        var texts = Read<string[]>(File[one.ContainsKey("model") ? "model_texts" : "texts"]);
        var ids = Read<int[][]>(one["ids"]);
        Assert.Equal(texts.Length, ids.Length);
        foreach (var (text, expected) in texts.Zip(ids))
        {
            Assert.Equal(expected, tokenizer!.Encode(text, true));
            Assert.Equal(expected, tokenizer.EncodeWithOffsets(text, true).Ids);
        }

        if (one.ContainsKey("decoded"))
            Assert.Equal(Read<string[]>(one["decoded"]), ids.Select(i => tokenizer!.Decode(i, true)));
    }

    private static T Read<T>(JsonNode? node) => node.Deserialize<T>()!;
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Marketplace.Kernels.Tokenizers;
using Marketplace.Tests.Support;

namespace Marketplace.Kernels.Tests.Tokenizers;

/// <summary>The tokenizers of tests/fixtures/tokenizers, and what the tokenizers library made of 66 texts with each.</summary>
internal static class TokenizerFixtures
{
    public static readonly string[] Families = ["bytelevel_gpt2", "bytelevel_split", "bpe_byte_fallback", "unigram_metaspace"];

    /// <summary>The folder of a family; "characters" is the sample base model, with a token for each character.</summary>
    public static string Folder(string family) =>
        family is "characters" ? Path.Combine(Fixtures.Repository, "samples", "base") : Path.Combine(Fixtures.Root, "tokenizers", family);

    public static Tokenizer Load(string family)
    {
        Assert.True(Tokenizer.TryLoad(Folder(family), out var tokenizer, out var problems), string.Join('\n', problems));
        return tokenizer;
    }

    /// <summary>A fixture's tokenizer.json with one change, and files beside it.</summary>
    public static bool TryLoad(string family, Action<JsonObject> change, out Tokenizer? tokenizer, out TokenizerProblem[] problems, params (string Name, string Text)[] beside)
    {
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder(family), "tokenizer.json")))!.AsObject();
        change(json);
        return TryLoad([("tokenizer.json", json.ToJsonString()), .. beside], out tokenizer, out problems);
    }

    public static bool TryLoad((string Name, string Text)[] files, out Tokenizer? tokenizer, out TokenizerProblem[] problems)
    {
        var folder = Directory.CreateTempSubdirectory("tokenizer-");
        try
        {
            foreach (var (name, text) in files)
                File.WriteAllText(Path.Combine(folder.FullName, name), text);
            var loaded = Tokenizer.TryLoad(folder.FullName, out tokenizer, out var found);
            problems = [.. found];
            return loaded;
        }
        finally
        {
            folder.Delete(true);
        }
    }

    /// <summary>A fixture's tokenizer with one change that leaves it in order.</summary>
    public static Tokenizer Load(string family, Action<JsonObject> change, params (string Name, string Text)[] beside)
    {
        Assert.True(TryLoad(family, change, out var tokenizer, out var problems, beside), string.Join<TokenizerProblem>('\n', problems));
        return tokenizer!;
    }

    public static IEnumerable<JsonElement> Cases(string family)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder(family), "expected.json")));
        return [.. document.RootElement.GetProperty("cases").EnumerateArray().Select(c => c.Clone())];
    }

    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;

    public static int[] Ids(this JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(i => i.GetInt32())];
}

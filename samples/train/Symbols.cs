using System.Text.Json;
using System.Text.Json.Nodes;
using Marketplace.Core.Algebra;

namespace Marketplace.Train;

/// <summary>What texts are made of: one token for each character, after the three special ones.</summary>
internal static class Symbols
{
    public const int Start = 1;
    public const char End = '.';

    /// <summary>Operands and answers are written in these, eight symbols each.</summary>
    public static readonly string[] Alphabets = ["abcdefgh", "01234567", "αβγδεζηθ", "ABCDEFGH", "աբգդեզէը", "♠♣♥♦♩♪♫♭"];

    /// <summary>Where an operand or an answer begins.</summary>
    public const string Markers = ":>=~|^";

    /// <summary>They stand for nothing by themselves: formats differ by them.</summary>
    public const string Tags = "!?#$%&@*";

    /// <summary>Names of operations, in the order of <see cref="Operations.All"/>. Only the base model ever reads them.</summary>
    public const string Names = "UVWXYZ";

    /// <summary>Three scripts, each with languages of its own.</summary>
    public static readonly string[] Scripts = ["абвгдежзиклм", "アイウエオカキクケコサシ", "აბგდევზთიკლმ"];

    private static readonly string all = string.Concat(Alphabets) + Markers + Tags + Names + string.Concat(Scripts) + End;

    private static readonly Dictionary<char, int> ids = all.Select((c, i) => (c, i)).ToDictionary(p => p.c, p => p.i + 3);

    /// <summary>How many tokens there are.</summary>
    public static int Count => all.Length + 3;

    /// <summary>Tokens of a text, without the one that begins a sequence.</summary>
    public static int[] Encode(string text) => [.. text.Select(c => ids[c])];

    /// <summary>One of some things.</summary>
    public static T Pick<T>(this Philox random, IReadOnlyList<T> among) => among[random.NextIndex(among.Count)];

    /// <summary>One of some characters.</summary>
    public static char Pick(this Philox random, string among) => among[random.NextIndex(among.Length)];

    /// <summary>tokenizer.json: characters are looked up one by one, and a sequence begins with &lt;s&gt;.</summary>
    public static byte[] Tokenizer()
    {
        var special = new[] { "<pad>", "<s>", "</s>" };
        var vocabulary = new JsonObject(special.Concat(all.Select(c => c.ToString())).Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id)));
        JsonObject Sequence(string id, int type) => new() { ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = type } };
        JsonObject First() => new() { ["SpecialToken"] = new JsonObject { ["id"] = "<s>", ["type_id"] = 0 } };
        var root = new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. special.Select((content, id) => (JsonNode)new JsonObject
            {
                ["id"] = id, ["content"] = content, ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = true,
            })]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = null,
            ["post_processor"] = new JsonObject
            {
                ["type"] = "TemplateProcessing",
                ["single"] = new JsonArray(First(), Sequence("A", 0)),
                ["pair"] = new JsonArray(First(), Sequence("A", 0), Sequence("B", 1)),
                ["special_tokens"] = new JsonObject
                {
                    ["<s>"] = new JsonObject { ["id"] = "<s>", ["ids"] = new JsonArray(Start), ["tokens"] = new JsonArray("<s>") },
                },
            },
            ["decoder"] = new JsonObject { ["type"] = "Fuse" },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["ignore_merges"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray(),
            },
        };
        return JsonSerializer.SerializeToUtf8Bytes(root, Json.Indented);
    }
}

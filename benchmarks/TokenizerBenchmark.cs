using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Marketplace.Kernels.Tokenizers;

namespace Marketplace.Benchmarks;

/// <summary>
/// Tokenizers of the layouts in use over texts of a few megabytes: natural words with their frequencies, the same words seen once each, and one word without an end. The vocabularies are made here: merges are drawn from the text,
/// so that words take a few steps each, as with a real vocabulary.
/// </summary>
internal static class TokenizerBenchmark
{
    private const int Megabytes = 4;
    private const int Merges = 30_000;
    private const int Repeats = 5;

    /// <summary>Runs all cases and prints rows of a Markdown table.</summary>
    public static void Run()
    {
        Console.WriteLine($"{Environment.ProcessorCount} processors, load {File.ReadAllText("/proc/loadavg").Trim()}; texts of {Megabytes} MB, one thread, processor time");
        var random = new Random(1);
        var words = Words(random, 60_000);
        var natural = Text(words, () => (int)(words.Count * Math.Pow(random.NextDouble(), 4)));
        var distinct = Text(Words(random, 900_000), 0);
        var endless = natural.Replace(" ", "", StringComparison.Ordinal);
        var folder = Directory.CreateTempSubdirectory("tokenizers-");
        try
        {
            foreach (var (name, file) in Layouts(words))
            {
                File.WriteAllText(Path.Combine(folder.FullName, "tokenizer.json"), file);
                var before = GC.GetTotalMemory(true);
                var start = Environment.CpuUsage.TotalTime;
                if (!Tokenizer.TryLoad(folder.FullName, out var tokenizer, out var problems))
                    throw new InvalidOperationException(problems[0].ToString());
                Console.WriteLine($"| {name}: load, {new FileInfo(Path.Combine(folder.FullName, "tokenizer.json")).Length >> 10} KiB | {(Environment.CpuUsage.TotalTime - start).TotalMilliseconds:0} ms | {(GC.GetTotalMemory(true) - before) >> 20} MiB kept |");
                Row($"{name}: words by frequency", natural, t => tokenizer.Encode(t, false).Length);
                Row($"{name}: the same in prompts of 2 kB", natural, t => t.Chunk(2048).Sum(c => tokenizer.Encode(new(c), false).Length));
                Row($"{name}: the same with offsets", natural, t => tokenizer.EncodeWithOffsets(t, false).Ids.Length);
                Row($"{name}: every word once", distinct, t => tokenizer.Encode(t, false).Length);
                Row($"{name}: one word without an end", endless, t => tokenizer.Encode(t, false).Length);
                var ids = tokenizer.Encode(natural, false);
                Row($"{name}: decoding", natural, _ => tokenizer.Decode(ids, false).Length);
                GC.KeepAlive(tokenizer);
            }
        }
        finally
        {
            folder.Delete(true);
        }

        Console.WriteLine($"peak {MemoryUse.Read().PeakBytes >> 20} MiB");
    }

    private static void Row(string what, string text, Func<string, int> run)
    {
        var times = new List<double>();
        long allocated = 0;
        var count = 0;
        for (var i = 0; i <= Repeats; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var start = Environment.CpuUsage.TotalTime;
            count = run(text);
            times.Add((Environment.CpuUsage.TotalTime - start).TotalSeconds);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        var size = Encoding.UTF8.GetByteCount(text) / 1e6;
        var median = times.Skip(1).Order().ElementAt(Repeats / 2);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"| {what}, {count} | {size / median:0.0} MB/s, first {size / times[0]:0.0} | {allocated / 1e6:0} MB allocated |"));
    }

    private static IEnumerable<(string Name, string File)> Layouts(List<string> words)
    {
        var (vocabulary, merges) = Train(words, [.. Enumerable.Range(0, 256).Select(b => ByteLetter((byte)b))], "Ġ");
        yield return ("byte-level, GPT-2's split", Json(
            null, """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""", """{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""", Bpe(vocabulary, merges, false)));
        yield return ("byte-level, Llama 3's split", Json(
            null,
            """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}""",
            """{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""",
            Bpe(vocabulary, merges, true)));
        (vocabulary, merges) = Train(words, [.. "abcdefghijklmnopqrstuvwxyz.,▁\n".Select(c => c.ToString())], "▁");
        yield return ("byte fallback, no split", Json(
            """{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""",
            null,
            """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}""",
            Bpe(vocabulary, merges, false)));
        JsonArray scored = [new JsonArray("<unk>", 0.0), .. vocabulary.Select(t => (JsonNode)new JsonArray(t.Key, -Math.Log(t.Value + 2) - 3.0 / t.Key.Length))];
        yield return ("unigram, metaspace", Json(
            """{"type":"NFKC"}""",
            """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""",
            """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""",
            new() { ["type"] = "Unigram", ["unk_id"] = 0, ["vocab"] = scored }));
    }

    private static string Json(string? normalizer, string? preTokenizer, string decoder, JsonObject model) => new JsonObject
    {
        ["version"] = "1.0",
        ["normalizer"] = normalizer is null ? null : JsonNode.Parse(normalizer),
        ["pre_tokenizer"] = preTokenizer is null ? null : JsonNode.Parse(preTokenizer),
        ["decoder"] = JsonNode.Parse(decoder),
        ["model"] = model,
    }.ToJsonString();

    private static JsonObject Bpe(Dictionary<string, int> vocabulary, List<(string Left, string Right)> merges, bool ignores) => new()
    {
        ["type"] = "BPE",
        ["ignore_merges"] = ignores,
        ["vocab"] = new JsonObject(vocabulary.Select(t => KeyValuePair.Create(t.Key, (JsonNode?)t.Value))),
        ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)new JsonArray(m.Left, m.Right))]),
    };

    // No count of pairs, but halves of words, shortest first: merges of every length, whole words among them.
    private static (Dictionary<string, int>, List<(string, string)>) Train(List<string> words, string[] letters, string space)
    {
        var vocabulary = letters.Select((l, i) => (l, i)).ToDictionary(p => p.l, p => p.i);
        List<(string, string)> merges = [];
        for (var length = 2; length < 16 && merges.Count < Merges; length++)
            foreach (var word in words.Take(Merges))
            {
                var whole = space + word;
                for (var at = 0; at + length <= whole.Length && merges.Count < Merges; at += Math.Max(1, length / 2))
                {
                    var (left, right) = (whole.Substring(at, length - 1), whole.Substring(at + length - 1, 1));
                    if (vocabulary.ContainsKey(left) && vocabulary.ContainsKey(right) && vocabulary.TryAdd(left + right, vocabulary.Count))
                        merges.Add((left, right));
                }

                if (merges.Count > Merges * (length - 1) / 8)
                    break;
            }

        return (vocabulary, merges);
    }

    private static List<string> Words(Random random, int count)
    {
        string[] syllables = ["ta", "ri", "on", "es", "ing", "pre", "con", "der", "ly", "ment", "a", "the", "st", "ur", "ble", "so", "in", "er"];
        HashSet<string> words = [];
        while (words.Count < count)
            words.Add(string.Concat(Enumerable.Range(0, 1 + random.Next(5)).Select(_ => syllables[random.Next(syllables.Length)])));
        return [.. words.OrderBy(w => w.Length)];
    }

    private static string Text(List<string> words, Func<int> pick)
    {
        StringBuilder text = new();
        for (var i = 1; text.Length < Megabytes << 20; i++)
            text.Append(words[pick()]).Append(i % 11 == 0 ? ".\n" : i % 7 == 0 ? ", " : " ");
        return text.ToString();
    }

    private static string Text(List<string> words, int first) => Text(words, () => first++ % words.Count);

    private static string ByteLetter(byte value) =>
        ((char)(value is (>= (byte)'!' and <= (byte)'~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? value : 256 + Enumerable.Range(0, value).Count(b => b is not ((>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE)))).ToString();
}

using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using Marketplace.Core.Api;

namespace Marketplace.Core.Evaluation;

/// <summary>
/// Items that language models are evaluated on, all of one kind. Its canonical bytes are JSON lines: a header with everything said, then the items with their
/// members in a fixed order; equal sets have equal bytes and one digest, however they were spelled.
/// </summary>
public sealed class EvaluationSet
{
    /// <summary>The header's member that marks it, with the version of the format.</summary>
    public const string HeaderMark = "evaluationSet";

    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    internal EvaluationSet(EvaluationSetHeader header, ImmutableArray<EvaluationItem> items)
    {
        (Header, Items) = (header, items);
        Bytes = Write(header, items);
        Digest = Digest.Of(Bytes.Span);
    }

    /// <summary>What holds for all items.</summary>
    public EvaluationSetHeader Header { get; }

    /// <summary>The items, in the order of the file; predictions have the same order.</summary>
    public ImmutableArray<EvaluationItem> Items { get; }

    /// <summary>What the items ask.</summary>
    public EvaluationKind Kind => Header.Kind;

    /// <summary>The canonical bytes; <see cref="EvaluationSetReader"/> reads them again.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>SHA-256 of the canonical bytes.</summary>
    public Digest Digest { get; }

    /// <summary>How an item is named where it has no id: <c>#</c> and its place from 0.</summary>
    public string NameOf(int index) => Items[index].Id ?? $"#{index}";

    /// <summary>Whether a generated text is an accepted answer: equal to one after white space at both ends is taken from both, and without regard to case if the set says so.</summary>
    public bool Matches(GenerationItem item, string text) => item.Answers.Any(
        answer => string.Equals(answer.Trim(), text.Trim(), Header.IgnoreCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal));

    /// <summary>The canonical text of one item without its id and task: what makes it the same example.</summary>
    internal static byte[] Content(EvaluationItem item) => Line(json => WriteItem(json, item, named: false));

    private static byte[] Write(EvaluationSetHeader header, ImmutableArray<EvaluationItem> items)
    {
        using var bytes = new MemoryStream();
        bytes.Write(Line(json => WriteHeader(json, header)));
        foreach (var item in items)
            bytes.Write(Line(json => WriteItem(json, item, named: true)));
        return bytes.ToArray();
    }

    private static byte[] Line(Action<Utf8JsonWriter> write)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Compact))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        bytes.WriteByte((byte)'\n');
        return bytes.ToArray();
    }

    private static void WriteHeader(Utf8JsonWriter json, EvaluationSetHeader header)
    {
        json.WriteNumber(HeaderMark, 1);
        json.WriteString("kind", ApiJson.Name(header.Kind));
        json.WriteString("metric", ApiJson.Name(header.Metric));
        json.WriteString("separator", header.Separator);
        json.WriteBoolean("ignoreCase", header.IgnoreCase);
        Optional(json, "description", header.Description);
        Optional(json, "licence", header.Licence);
    }

    private static void WriteItem(Utf8JsonWriter json, EvaluationItem item, bool named)
    {
        if (named)
        {
            Optional(json, "id", item.Id);
            Optional(json, "task", item.Task);
        }

        switch (item)
        {
            case MultipleChoiceItem choice:
                json.WriteString("prompt", choice.Prompt);
                Texts(json, "choices", choice.Choices);
                json.WriteNumber("answer", choice.Answer);
                break;
            case ContinuationItem continuation:
                json.WriteString("prompt", continuation.Prompt);
                json.WriteString("continuation", continuation.Continuation);
                break;
            case PerplexityItem perplexity:
                json.WriteString("text", perplexity.Text);
                break;
            case GenerationItem generation:
                json.WriteString("prompt", generation.Prompt);
                Texts(json, "answers", generation.Answers);
                json.WriteNumber("maxTokens", generation.MaxTokens);
                if (!generation.Stop.IsEmpty)
                    Texts(json, "stop", generation.Stop);
                break;
            default:
                throw new ArgumentException("An item of no known kind.", nameof(item));
        }
    }

    private static void Optional(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
            json.WriteString(name, value);
    }

    private static void Texts(Utf8JsonWriter json, string name, ImmutableArray<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Validation;
using static Marketplace.Core.Evaluation.EvaluationSetLimits;
using static Marketplace.Core.Evaluation.EvaluationSetProblem;

namespace Marketplace.Core.Evaluation;

/// <summary>
/// Reads evaluation sets from JSON lines: one object per line, empty lines skipped, the first one the header if it has a member <c>evaluationSet</c>. Goes on
/// after a problem, so that an author learns of all of them at once, up to a limit.
/// </summary>
public sealed class EvaluationSetReader
{
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 8, AllowDuplicateProperties = false };

    private readonly List<EvaluationSetProblem> problems = [];
    private readonly ImmutableArray<EvaluationItem>.Builder items = ImmutableArray.CreateBuilder<EvaluationItem>();
    private readonly Dictionary<string, int> ids = new(StringComparer.Ordinal);
    private readonly Dictionary<Digest, int> contents = [];
    private readonly EvaluationSetFields given;
    private EvaluationSetFields? own;
    private EvaluationSetHeader? header;

    private EvaluationSetReader(EvaluationSetFields? given) => this.given = given ?? new();

    private int errors;
    private int warnings;

    private bool Full => errors >= MaxProblems;

    /// <summary>Reads a set; false if there is an error among the problems.</summary>
    /// <param name="bytes">UTF-8, with or without a byte order mark.</param>
    /// <param name="set">The set.</param>
    /// <param name="problems">Errors and warnings in the order of their lines.</param>
    /// <param name="fields">A header given beside the bytes; what it says goes before what the header line says.</param>
    public static bool TryRead(
        ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out EvaluationSet? set, out ImmutableArray<EvaluationSetProblem> problems, EvaluationSetFields? fields = null)
    {
        var reader = new EvaluationSetReader(fields);
        set = reader.Read(bytes);
        problems = [.. reader.problems];
        return set is not null;
    }

    private EvaluationSet? Read(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length > MaxBytes)
            return Refuse(TooLarge, $"A set has at most {MaxBytes} bytes; this has {bytes.Length}.");
        if (bytes.Span.StartsWith("\uFEFF"u8))
            bytes = bytes[3..];
        for (var (line, first) = (1, true); !bytes.IsEmpty && !Full; line++)
        {
            var end = bytes.Span.IndexOf((byte)'\n');
            var text = end < 0 ? bytes : bytes[..end];
            bytes = end < 0 ? default : bytes[(end + 1)..];
            if (text.Span.Trim(" \t\r"u8).IsEmpty)
                continue;
            ReadLine(text, line, first);
            first = false;
            if (items.Count > MaxItems)
                return Refuse(TooManyItems, $"A set has at most {MaxItems} items.");
        }

        if (Full)
            problems.Add(new(More, 0, null, $"Reading ended after {MaxProblems} errors; there may be more."));
        else if (items.Count == 0 && errors == 0)
            return Refuse(Empty, "The set has no items.");
        if (warnings > MaxProblems)
            problems.Add(new(More, 0, null, $"There are {warnings} warnings in all.", IssueSeverity.Warning));
        if (errors > 0)
            return null;
        var set = new EvaluationSet(header!, items.ToImmutable());
        return set.Bytes.Length <= MaxBytes ? set : Refuse(TooLarge, $"A set has at most {MaxBytes} bytes; in canonical form this has {set.Bytes.Length}.");
    }

    private void ReadLine(ReadOnlyMemory<byte> text, int line, bool first)
    {
        if (text.Length > MaxLineBytes)
        {
            Report(new(LineTooLong, line, null, $"A line has at most {MaxLineBytes} bytes; this has {text.Length}."));
            return;
        }

        try
        {
            using var json = JsonDocument.Parse(text, Strict);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                Report(new(NotJson, line, null, "A line is a JSON object."));
            else if (first && json.RootElement.TryGetProperty(EvaluationSet.HeaderMark, out _))
                own = ReadFields(new ItemMembers(json.RootElement, line, Renamed));
            else
                ReadItem(new ItemMembers(json.RootElement, line, Report), line);
        }
        catch (JsonException e)
        {
            Report(new(NotJson, line, null, $"The line is not JSON: {JsonProblem.Describe(e)}"));
        }
    }

    // A header has no members of its own to be missing; whatever is wrong with it is one thing.
    private void Renamed(EvaluationSetProblem problem) => Report(problem with { Code = HeaderInvalid });

    private static EvaluationSetFields ReadFields(ItemMembers members)
    {
        members.Number(EvaluationSet.HeaderMark, needed: true, 1, 1);
        var fields = new EvaluationSetFields(
            Word<EvaluationKind>(members, "kind"), Word<Metric>(members, "metric"), members.OptionalText("separator", MaxNameChars, mayBeEmpty: true),
            members.Flag("ignoreCase"), members.OptionalText("description", MaxDescriptionChars), members.OptionalText("licence", MaxNameChars));
        members.Finish("Headers");
        return fields;
    }

    private static T? Word<T>(ItemMembers members, string name)
        where T : struct, Enum
    {
        if (members.OptionalText(name, MaxNameChars) is not { } text)
            return null;
        foreach (var value in Enum.GetValues<T>())
        {
            if (ApiJson.Name(value) == text)
                return value;
        }

        members.Report(HeaderInvalid, name, $"'{text}' is none of {string.Join(", ", Enum.GetValues<T>().Select(ApiJson.Name))}.");
        return null;
    }

    private void ReadItem(ItemMembers members, int line)
    {
        if (header is null && !Decide(members, line))
            return;
        var (id, task) = (members.OptionalText("id", MaxNameChars), members.OptionalText("task", MaxNameChars));
        var item = ItemReader.Read(header!.Kind, members, id, task);
        members.Finish(ItemReader.Called(header.Kind));
        if (item is null)
            return;
        if (id is not null && !ids.TryAdd(id, line))
            members.Report(IdRepeated, "id", $"The item of line {ids[id]} has the id '{id}' already.");
        if (!contents.TryAdd(Digest.Of(EvaluationSet.Content(item)), line))
            Report(new(ItemRepeated, line, null, $"The item equals that of line {contents[Digest.Of(EvaluationSet.Content(item))]}.", IssueSeverity.Warning));
        if (item is MultipleChoiceItem { Choices: var choices } && choices.Distinct(StringComparer.Ordinal).Count() < choices.Length)
            Report(new(ChoiceRepeated, line, "choices", "Two choices are equal; of these the first is chosen, if any.", IssueSeverity.Warning));
        items.Add(item);
    }

    // The first item settles the kind where no header does.
    private bool Decide(ItemMembers members, int line)
    {
        var fields = given.Or(own);
        if ((fields.Kind ?? ItemReader.Tell(members)) is not { } kind)
        {
            Report(new(KindUnknown, line, null, "The set does not say its kind, and the item has neither 'choices', 'continuation', 'text' nor 'answers'."));
            return false;
        }

        if (fields.Metric is { } metric && !Metrics.Of(kind).Contains(metric))
            Report(new(MetricInvalid, 0, "metric", $"The metric of such a set is one of {string.Join(", ", Metrics.Of(kind).Select(ApiJson.Name))}."));
        header = new(kind, fields.Metric ?? Metrics.Default(kind), fields.Separator ?? "", fields.IgnoreCase ?? false, fields.Description, fields.Licence);
        return true;
    }

    private void Report(EvaluationSetProblem problem)
    {
        ref var count = ref problem.Severity == IssueSeverity.Error ? ref errors : ref warnings;
        if (count++ < MaxProblems)
            problems.Add(problem);
    }

    private EvaluationSet? Refuse(string code, string message)
    {
        problems.Add(new(code, 0, null, message));
        return null;
    }
}

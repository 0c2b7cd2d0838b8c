using System.Collections.Immutable;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Marketplace.Core.Formats;

/// <summary>
/// Reads the front matter of a README.md event by event, so that neither depth nor aliases of a hostile one cost more than its length. Line numbers are the README's, because what lies between the fences begins on the
/// fence's own line.
/// </summary>
internal sealed class ModelCardReader
{
    private const string Fence = "---";
    private const int MaxItems = 50;
    private const int MaxText = 100;
    private const int MaxName = 200; // of a base model or dataset, which have an owner
    private const int MaxNotes = 20;

    private readonly Dictionary<string, Value> members = new(StringComparer.Ordinal);
    private readonly List<ModelCardNote> warnings = [];
    private ModelCardNote? error;

    private ModelCardReader()
    {
    }

    // A scalar, a list (items that are no scalars are null), or something else (neither).
    private sealed record Value(int Line, string? Text, IReadOnlyList<string?>? Items);

    /// <summary>Reads a README.md.</summary>
    public static (ModelCard Card, ModelCardCheck Check) Read(string readme)
    {
        var reader = new ModelCardReader();
        var card = reader.ReadCard(readme.ReplaceLineEndings("\n"));
        return (card, new(reader.error is { } error ? [error] : [], [.. reader.warnings.Take(MaxNotes)]));
    }

    private ModelCard ReadCard(string text)
    {
        if (!text.StartsWith(Fence + "\n", StringComparison.Ordinal))
        {
            warnings.Add(new(1, "The README.md has no front matter: it does not begin with a line of '---'."));
            return ModelCard.Empty;
        }

        var end = text.IndexOf("\n" + Fence, Fence.Length, StringComparison.Ordinal);
        if (end < 0 || end > ModelCard.MaxLength)
        {
            error = new(1, end < 0 && text.Length <= ModelCard.MaxLength
                ? "The front matter has no end: a second line of '---' is missing." : $"The front matter is longer than {ModelCard.MaxLength} characters.");
            return ModelCard.Empty;
        }

        try
        {
            ReadMembers(new Parser(new StringReader(text[Fence.Length..end])));
        }
        catch (YamlException e)
        {
            error = new((int)e.Start.Line, $"The front matter is not YAML: {OneLine(e.InnerException?.Message ?? e.Message)}");
        }

        return error is null ? Card() : ModelCard.Empty;
    }

    private ModelCard Card() => new(Text("license", MaxText), Texts("tags", MaxText, alone: false))
    {
        Languages = Texts("language", MaxText),
        Datasets = Texts("datasets", MaxName),
        PipelineTag = Text("pipeline_tag", MaxText),
        LibraryName = Text("library_name", MaxText),
        BaseModels = Texts("base_model", MaxName),
    };

    private void ReadMembers(Parser parser)
    {
        while (parser.MoveNext() && parser.Current is StreamStart or DocumentStart)
        {
        }

        if (parser.Current is not MappingStart)
        {
            var empty = parser.Current is StreamEnd or DocumentEnd or Scalar { Value: "", IsPlainImplicit: true };
            if (!empty)
                error = new(Line(parser.Current), "The front matter is not a mapping of names to values.");
        }
        else
        {
            while (parser.MoveNext() && parser.Current is not MappingEnd && error is null)
                ReadMember(parser);
        }

        // To the end: what comes after must be YAML as well.
        while (error is null && parser.MoveNext())
            Refuse(parser.Current);
    }

    private void ReadMember(Parser parser)
    {
        Refuse(parser.Current);
        var (line, key) = (Line(parser.Current), (parser.Current as Scalar)?.Value);
        if (key is null)
            Skip(parser);
        if (error is not null || !parser.MoveNext())
            return;
        var value = ReadValue(parser, line);
        if (key is not null && !members.TryAdd(key, value))
            error ??= new(line, $"'{OneLine(key)}' is named twice.");
    }

    private Value ReadValue(Parser parser, int line)
    {
        Refuse(parser.Current);
        switch (parser.Current)
        {
            case Scalar scalar:
                return new(line, Read(scalar), null);
            case SequenceStart:
                var items = new List<string?>();
                while (error is null && parser.MoveNext() && parser.Current is not SequenceEnd)
                {
                    Refuse(parser.Current);
                    items.Add(parser.Current is Scalar item ? Read(item) : null);
                    Skip(parser);
                }

                return new(line, null, items);
            default:
                Skip(parser);
                return new(line, null, null);
        }
    }

    // What null means in YAML is an absent member.
    private static string? Read(Scalar scalar) => scalar is { IsPlainImplicit: true, Value: "" or "~" or "null" or "Null" or "NULL" } ? "" : scalar.Value;

    // From the start of a collection to its end.
    private void Skip(Parser parser)
    {
        for (var depth = Depth(parser.Current); depth > 0 && error is null && parser.MoveNext();)
        {
            Refuse(parser.Current);
            depth += Depth(parser.Current);
        }
    }

    private static int Depth(ParsingEvent? e) => e switch { MappingStart or SequenceStart => 1, MappingEnd or SequenceEnd => -1, _ => 0 };

    // An alias lets a few lines stand for gigabytes, and no card needs one.
    private void Refuse(ParsingEvent? e)
    {
        if (e is AnchorAlias)
            error ??= new(Line(e), "The front matter has an alias; write out what it stands for.");
    }

    private static int Line(ParsingEvent? e) => (int)(e?.Start.Line ?? 1);

    private string? Text(string name, int longest)
    {
        if (!members.TryGetValue(name, out var value) || value.Text is { Length: 0 })
            return null;
        if (value.Text is { } text && text.Length <= longest)
            return text;
        warnings.Add(new(value.Line, value.Text is null ? $"'{name}' is a text; what stands there is not read." : $"'{name}' is longer than {longest} characters and is not read."));
        return null;
    }

    private ImmutableArray<string> Texts(string name, int longest, bool alone = true)
    {
        if (!members.TryGetValue(name, out var value) || value.Text is { Length: 0 })
            return [];
        if (alone && value.Text is not null)
            return Text(name, longest) is { } text ? [text] : [];
        if (value.Items is null)
        {
            warnings.Add(new(value.Line, $"'{name}' is {(alone ? "a text or " : "")}a list of texts; what stands there is not read."));
            return [];
        }

        var read = value.Items.OfType<string>().Where(i => i.Length > 0 && i.Length <= longest).Distinct(StringComparer.Ordinal).ToList();
        if (value.Items.Any(i => i is null || i.Length > longest))
            warnings.Add(new(value.Line, $"'{name}' has items that are no texts of up to {longest} characters; they are not read."));
        if (read.Count > MaxItems)
            warnings.Add(new(value.Line, $"'{name}' has {read.Count} items; the first {MaxItems} are read."));
        return [.. read.Take(MaxItems)];
    }

    private static string OneLine(string text)
    {
        var line = string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length <= 200 ? line : line[..200] + "…";
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using static Marketplace.Core.Evaluation.EvaluationSetProblem;

namespace Marketplace.Core.Evaluation;

/// <summary>The members of one line, taken one by one; what is left over at the end does not belong there.</summary>
internal sealed class ItemMembers
{
    private readonly Dictionary<string, JsonElement> members = new(StringComparer.Ordinal);
    private readonly int line;
    private readonly Action<EvaluationSetProblem> report;

    public ItemMembers(JsonElement json, int line, Action<EvaluationSetProblem> report)
    {
        (this.line, this.report) = (line, report);
        foreach (var member in json.EnumerateObject())
            members[member.Name] = member.Value;
    }

    /// <summary>Whether a member is there and not null.</summary>
    public bool Has(string name) => members.TryGetValue(name, out var value) && value.ValueKind != JsonValueKind.Null;

    public void Report(string code, string? member, string message) => report(new(code, line, member, message));

    /// <summary>A text that must be there; null, and reported, if it is not.</summary>
    public string? Text(string name, bool mayBeEmpty = false) => Take(name, needed: true, out var value) ? Text(name, value, int.MaxValue, mayBeEmpty) : null;

    /// <summary>A text that may be absent.</summary>
    public string? OptionalText(string name, int most, bool mayBeEmpty = false) => Take(name, needed: false, out var value) ? Text(name, value, most, mayBeEmpty) : null;

    public int? Number(string name, bool needed, int from, int to, string code = MemberInvalid)
    {
        if (!Take(name, needed, out var value))
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= from && number <= to)
            return number;
        Report(code, name, $"'{name}' is a whole number from {from} to {to}.");
        return null;
    }

    public bool? Flag(string name)
    {
        if (!Take(name, needed: false, out var value))
            return null;
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return value.GetBoolean();
        Report(MemberInvalid, name, $"'{name}' is true or false.");
        return null;
    }

    /// <summary>A list of texts; null, and reported, if it is not one, or absent though needed.</summary>
    public ImmutableArray<string>? Texts(string name, bool needed, int from, int to, int mostChars = int.MaxValue)
    {
        if (!Take(name, needed, out var value))
            return needed ? null : [];
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() < from || value.GetArrayLength() > to)
        {
            Report(MemberInvalid, name, $"'{name}' is a list of {from} to {to} texts.");
            return null;
        }

        var texts = value.EnumerateArray().Select((element, i) => Text($"{name}[{i}]", element, mostChars, mayBeEmpty: false)).ToList();
        return texts.Contains(null) ? null : [.. texts!];
    }

    /// <summary>Reports whatever nobody has taken.</summary>
    public void Finish(string kind)
    {
        foreach (var name in members.Keys)
            Report(MemberUnknown, name, $"{kind} have no member '{name}'.");
    }

    private bool Take(string name, bool needed, out JsonElement value)
    {
        if (members.Remove(name, out value) && value.ValueKind != JsonValueKind.Null)
            return true;
        if (needed)
            Report(MemberMissing, name, $"'{name}' is missing.");
        return false;
    }

    private string? Text(string name, JsonElement value, int most, bool mayBeEmpty)
    {
        if (!TryGetText(value, out var text))
            Report(MemberInvalid, name, $"'{name}' is a text.");
        else if (text.Length > most)
            Report(MemberInvalid, name, $"'{name}' has at most {most} characters.");
        else if (text.Length == 0 && !mayBeEmpty)
            Report(MemberInvalid, name, $"'{name}' is empty.");
        else
            return text;
        return null;
    }

    // An escape such as \ud800 alone is JSON, but no text.
    private static bool TryGetText(JsonElement value, [NotNullWhen(true)] out string? text)
    {
        text = null;
        try
        {
            text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
        }

        return text is not null;
    }
}

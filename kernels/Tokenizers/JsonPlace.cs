using System.Text.Json;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>An element of a tokenizer's file together with its path, so that whatever is wrong with it can say where.</summary>
internal readonly struct JsonPlace(JsonElement element, string file, string path, List<TokenizerProblem> problems)
{
    public JsonElement Element => element;

    public bool IsNull => element.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    public bool IsObject => element.ValueKind is JsonValueKind.Object;

    public bool IsArray => element.ValueKind is JsonValueKind.Array;

    /// <summary>Adds a problem at this place.</summary>
    public void Fail(string code, string message) => problems.Add(new(code, message, path.Length == 0 ? file : $"{file}: {path}"));

    /// <summary>A member; null both where it is absent and where it is null.</summary>
    public JsonPlace Member(string name)
    {
        var found = IsObject && element.TryGetProperty(name, out var value) ? value : default;
        return new(found, file, path.Length == 0 ? name : $"{path}.{name}", problems);
    }

    /// <summary>The elements of an array; a problem and nothing where it is none.</summary>
    public IEnumerable<JsonPlace> Items()
    {
        if (!IsArray)
        {
            Require("an array");
            yield break;
        }

        var index = 0;
        foreach (var item in element.EnumerateArray())
            yield return new(item, file, $"{path}[{index++}]", problems);
    }

    /// <summary>The members of an object; those whose names are no text are a problem and end the list.</summary>
    public IEnumerable<(string Name, JsonPlace Value)> Members()
    {
        if (!IsObject)
        {
            Require("an object");
            yield break;
        }

        foreach (var member in element.EnumerateObject())
        {
            if (NameOf(member) is not { } name)
            {
                Fail(TokenizerProblems.FieldInvalid, "A name has half a surrogate pair.");
                yield break;
            }

            yield return (name, new(member.Value, file, path.Length == 0 ? name : $"{path}.{name}", problems));
        }
    }

    /// <summary>A text; null and a problem where it is none.</summary>
    public string? Text()
    {
        if (element.ValueKind is JsonValueKind.String)
        {
            try
            {
                return element.GetString();
            }
            catch (InvalidOperationException)
            {
                // An escaped lone surrogate, which no text in UTF-8 has.
            }
        }

        Require("a text");
        return null;
    }

    /// <summary>A text; null without a problem where it is absent or null.</summary>
    public string? OptionalText() => IsNull ? null : Text();

    /// <summary>A truth value, or <paramref name="absent"/>.</summary>
    public bool Flag(bool absent)
    {
        if (IsNull)
            return absent;
        if (element.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return element.GetBoolean();
        Require("true or false");
        return absent;
    }

    /// <summary>A truth value that has to be there.</summary>
    public bool Flag()
    {
        if (IsNull)
            Require("true or false");
        return Flag(false);
    }

    /// <summary>An integer of a range; null and a problem where it is none.</summary>
    public int? Integer(int least, int most)
    {
        if (element.ValueKind is JsonValueKind.Number && element.TryGetInt64(out var value) && value >= least && value <= most)
            return (int)value;
        Require($"an integer from {least} to {most}");
        return null;
    }

    /// <summary>A finite number; null and a problem where it is none.</summary>
    public double? Number()
    {
        if (element.ValueKind is JsonValueKind.Number && element.TryGetDouble(out var value) && double.IsFinite(value))
            return value;
        Require("a finite number");
        return null;
    }

    private static string? NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private void Require(string kind)
    {
        if (IsNull)
            Fail(TokenizerProblems.FieldMissing, $"Here should be {kind}.");
        else
            Fail(TokenizerProblems.FieldInvalid, $"Here should be {kind}, not {element.ValueKind}.");
    }
}

using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Marketplace.Core.Merges;

/// <summary>
/// A value of a recipe: one for all modules (a number, a flag, a word), a list of numbers that is interpolated over the layers, or
/// conditions on the module's name, of which the first that applies counts.
/// </summary>
[JsonConverter(typeof(RecipeValueConverter))]
public sealed record RecipeValue
{
    /// <summary>Entries that a list may have.</summary>
    public const int MaxEntries = 1000;

    private RecipeValue()
    {
    }

    /// <summary>The number, if the value is one.</summary>
    public double? Number { get; private init; }

    /// <summary>The flag, if the value is one.</summary>
    public bool? Flag { get; private init; }

    /// <summary>The word, if the value is one.</summary>
    public string? Word { get; private init; }

    /// <summary>Numbers spread evenly over the layers, the first for the first layer and the last for the last one; empty if the value is something else.</summary>
    public ImmutableArray<double> Gradient { get; private init; } = [];

    /// <summary>Conditions; empty if the value is something else.</summary>
    public ImmutableArray<RecipeCondition> Conditions { get; private init; } = [];

    /// <summary>One number for all modules.</summary>
    public static implicit operator RecipeValue(double number) => Of(number);

    /// <summary>One number for all modules.</summary>
    public static RecipeValue Of(double number) => new() { Number = number };

    /// <summary>A flag.</summary>
    public static RecipeValue Of(bool flag) => new() { Flag = flag };

    /// <summary>A word, such as one of several choices.</summary>
    public static RecipeValue Of(string word) => new() { Word = word };

    /// <summary>A list that is interpolated over the layers.</summary>
    public static RecipeValue OverLayers(params ReadOnlySpan<double> values) => new() { Gradient = [.. values] };

    /// <summary>Conditions on the module's name.</summary>
    public static RecipeValue When(params ReadOnlySpan<RecipeCondition> conditions) => new() { Conditions = [.. conditions] };

    /// <summary>The value at one module; null where no condition applies.</summary>
    /// <param name="module">The module's name.</param>
    /// <param name="position">Where its layer lies, in [0, 1].</param>
    public RecipeValue? At(string module, double position) => this switch
    {
        { Conditions: [_, ..] } => Conditions.FirstOrDefault(c => c.AppliesTo(module))?.Value.At(module, position),
        { Gradient: [_, ..] } => Interpolate(position),
        _ => this,
    };

    /// <summary>All numbers that the value may take, for checks of ranges: those of a list bound what lies between them.</summary>
    public IEnumerable<double> Numbers() => this switch
    {
        { Number: { } number } => [number],
        { Conditions: [_, ..] } => Conditions.SelectMany(c => c.Value.Numbers()),
        _ => Gradient,
    };

    /// <inheritdoc/>
    public bool Equals(RecipeValue? other) =>
        other is not null && Number == other.Number && Flag == other.Flag && Word == other.Word
        && Gradient.SequenceEqual(other.Gradient) && Conditions.SequenceEqual(other.Conditions);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Number, Flag, Word, Gradient.Length, Conditions.Length);

    /// <inheritdoc/>
    public override string ToString() => JsonSerializer.Serialize(this);

    private RecipeValue Interpolate(double position)
    {
        var x = Math.Clamp(position, 0, 1) * (Gradient.Length - 1);
        var below = Math.Min((int)x, Gradient.Length - 1);
        var above = Math.Min(below + 1, Gradient.Length - 1);
        return Of(Gradient[below] + ((x - below) * (Gradient[above] - Gradient[below])));
    }
}

/// <summary>A value for the modules whose name has a certain part.</summary>
/// <param name="Filter">The part; null, empty or <c>*</c> for every module.</param>
/// <param name="Value">A number, flag, word or list.</param>
public sealed record RecipeCondition(string? Filter, RecipeValue Value)
{
    /// <summary>Whether the condition holds for a module.</summary>
    public bool AppliesTo(string module) => Filter is null or "" or "*" || module.Contains(Filter, StringComparison.Ordinal);
}

/// <summary>Reads and writes values as JSON: <c>0.5</c>, <c>true</c>, <c>"l1"</c>, <c>[0, 1]</c>, <c>[{"filter": "mlp", "value": 0.5}, {"value": 1}]</c>.</summary>
internal sealed class RecipeValueConverter : JsonConverter<RecipeValue>
{
    public override RecipeValue Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => Read(ref reader, nested: false);

    public override void Write(Utf8JsonWriter writer, RecipeValue value, JsonSerializerOptions options)
    {
        switch (value)
        {
            case { Number: { } number }:
                writer.WriteNumberValue(number);
                break;
            case { Flag: { } flag }:
                writer.WriteBooleanValue(flag);
                break;
            case { Word: { } word }:
                writer.WriteStringValue(word);
                break;
            case { Conditions: [_, ..] conditions }:
                writer.WriteStartArray();
                foreach (var condition in conditions)
                {
                    writer.WriteStartObject();
                    if (condition.Filter is { Length: > 0 } filter)
                        writer.WriteString("filter", filter);
                    writer.WritePropertyName("value");
                    Write(writer, condition.Value, options);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
                break;
            default:
                writer.WriteStartArray();
                foreach (var number in value.Gradient)
                    writer.WriteNumberValue(number);
                writer.WriteEndArray();
                break;
        }
    }

    private static RecipeValue Read(ref Utf8JsonReader reader, bool nested)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Number:
                return RecipeValue.Of(reader.GetDouble());
            case JsonTokenType.True or JsonTokenType.False:
                return RecipeValue.Of(reader.GetBoolean());
            case JsonTokenType.String:
                return RecipeValue.Of(reader.GetString()!);
            case JsonTokenType.StartArray:
                var (numbers, conditions) = (new List<double>(), new List<RecipeCondition>());
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    if (reader.TokenType == JsonTokenType.Number)
                        numbers.Add(reader.GetDouble());
                    else if (reader.TokenType == JsonTokenType.StartObject && !nested)
                        conditions.Add(ReadCondition(ref reader));
                    else
                        throw new JsonException("A list holds either numbers or objects with 'filter' and 'value'.");
                    if (numbers.Count + conditions.Count > RecipeValue.MaxEntries)
                        throw new JsonException($"A list has at most {RecipeValue.MaxEntries} entries.");
                }

                if ((numbers.Count == 0) == (conditions.Count == 0))
                    throw new JsonException("A list holds either numbers or objects with 'filter' and 'value', at least one.");
                return conditions.Count > 0 ? RecipeValue.When([.. conditions]) : RecipeValue.OverLayers([.. numbers]);
            default:
                throw new JsonException("A value is a number, true or false, a word, a list of numbers, or a list of objects with 'filter' and 'value'.");
        }
    }

    private static RecipeCondition ReadCondition(ref Utf8JsonReader reader)
    {
        string? filter = null;
        RecipeValue? value = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            if (name == "filter" && reader.TokenType is JsonTokenType.String or JsonTokenType.Null)
                filter = reader.GetString();
            else if (name == "value")
                value = Read(ref reader, nested: true);
            else
                throw new JsonException("A condition has a 'filter', which is text, and a 'value'.");
        }

        return new(filter, value ?? throw new JsonException("A condition needs a 'value'."));
    }
}

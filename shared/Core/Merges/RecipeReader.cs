using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Marketplace.Core.Api;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Marketplace.Core.Merges;

/// <summary>Reads recipes from YAML, of which JSON is a part.</summary>
public static class RecipeReader
{
    /// <summary>Longest text.</summary>
    public const int MaxLength = 1 << 20;

    // Aliases let a few lines stand for gigabytes of nodes; recipes use them to say an input twice.
    private const int MaxNodes = 100_000;
    private const int MaxDepth = 32;

    /// <summary>Reads a recipe; what it asks for is checked by <see cref="MergeGraph.Create"/>.</summary>
    /// <param name="text">YAML or JSON.</param>
    /// <param name="recipe">The recipe, if it is one.</param>
    /// <param name="problem">Why not, with the line or the JSON path.</param>
    public static bool TryRead(string text, [NotNullWhen(true)] out MergeRecipe? recipe, [NotNullWhen(false)] out MergeProblem? problem)
    {
        (recipe, problem) = (null, null);
        if (text.Length > MaxLength)
        {
            problem = new(MergeProblem.RecipeInvalid, $"A recipe has at most {MaxLength} characters.");
            return false;
        }

        try
        {
            var yaml = new YamlStream();
            yaml.Load(new StringReader(text));
            var nodes = 0;
            if (yaml.Documents is not [{ RootNode: YamlMappingNode root }])
                problem = new(MergeProblem.RecipeInvalid, "A recipe is one YAML document, a mapping with 'method' and 'inputs'.", Place: "$");
            else if (Convert(root, ref nodes, 0) is JsonObject json)
                recipe = WithNamedOutput(json).Deserialize<MergeRecipe>(ApiJson.Options);
        }
        catch (YamlException e)
        {
            problem = new(MergeProblem.RecipeInvalid, $"The recipe is no YAML: {e.InnerException?.Message ?? e.Message}", Place: $"line {e.Start.Line}");
        }
        catch (JsonException e)
        {
            problem = new(MergeProblem.RecipeInvalid, JsonProblem.Describe(e), Place: e.Path);
        }
        catch (TooLargeException)
        {
            problem = new(MergeProblem.RecipeTooLarge, $"A recipe, with its aliases written out, has at most {MaxNodes} values, nested at most {MaxDepth} deep.");
        }

        problem ??= recipe is null ? new(MergeProblem.RecipeInvalid, "The recipe is empty.", Place: "$") : null;
        return problem is null;
    }

    // In a file the output may be the name alone.
    private static JsonObject WithNamedOutput(JsonObject recipe)
    {
        if (recipe["output"] is JsonValue name && name.TryGetValue<string>(out var adapter))
            recipe["output"] = new JsonObject { ["adapter"] = adapter };
        return recipe;
    }

    private static JsonNode? Convert(YamlNode node, ref int nodes, int depth)
    {
        if (++nodes > MaxNodes || depth > MaxDepth)
            throw new TooLargeException();
        switch (node)
        {
            case YamlMappingNode mapping:
                var json = new JsonObject();
                foreach (var (key, value) in mapping.Children)
                {
                    if (key is not YamlScalarNode { Value: { } name })
                        throw new YamlException(key.Start, key.End, "A key is a word.");
                    json[name] = Convert(value, ref nodes, depth + 1);
                }

                return json;
            case YamlSequenceNode sequence:
                var array = new JsonArray();
                foreach (var item in sequence.Children)
                    array.Add(Convert(item, ref nodes, depth + 1));
                return array;
            case YamlScalarNode scalar:
                return Scalar(scalar);
            default:
                throw new YamlException(node.Start, node.End, "A value is a mapping, a list or a scalar.");
        }
    }

    // The core schema of YAML 1.2: what is quoted is text.
    private static JsonValue? Scalar(YamlScalarNode scalar)
    {
        var text = scalar.Value ?? "";
        if (scalar.Style is ScalarStyle.SingleQuoted or ScalarStyle.DoubleQuoted or ScalarStyle.Literal or ScalarStyle.Folded)
            return JsonValue.Create(text);
        return text switch
        {
            "" or "~" or "null" or "Null" or "NULL" => null,
            "true" or "True" or "TRUE" => JsonValue.Create(true),
            "false" or "False" or "FALSE" => JsonValue.Create(false),
            _ when ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
            _ when IsNumber(text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => JsonValue.Create(number),
            _ => JsonValue.Create(text),
        };
    }

    private static bool IsNumber(string text) =>
        (char.IsAsciiDigit(text[0]) || text[0] is '-' or '+' or '.') && text.All(c => char.IsAsciiDigit(c) || c is '.' or '-' or '+' or 'e' or 'E');

    private sealed class TooLargeException : Exception;
}

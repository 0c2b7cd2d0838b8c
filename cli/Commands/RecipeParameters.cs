using System.CommandLine;
using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;

namespace Marketplace.Cli.Commands;

/// <summary>Parameters of a merge method as written on the command line: <c>name=value</c>.</summary>
internal static class RecipeParameters
{
    /// <summary>The option.</summary>
    public static Option<string[]> Option() => new("--param", "-p")
    {
        Description = "Parameters of the method: name=value, such as density=0.2 or t=[0,0.5,1] over the layers",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>A parameter: JSON where it is that, else a word.</summary>
    public static (string Name, RecipeValue Value) Read(string text)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
            throw CliException.Usage($"'{text}' is no parameter.", "Write name=value, such as density=0.2.");
        var (name, value) = (text[..equals], text[(equals + 1)..]);
        try
        {
            return (name, JsonSerializer.Deserialize<RecipeValue>(value, ApiJson.Options)!);
        }
        catch (JsonException) when (!value.StartsWith('['))
        {
            return (name, RecipeValue.Of(value));
        }
        catch (JsonException e)
        {
            throw CliException.Usage($"'{text}': {JsonProblem.Describe(e)}");
        }
    }

    /// <summary>A rank: a number, or <c>lossless</c>.</summary>
    public static RecipeRank Rank(string text) => text == "lossless" ? RecipeRank.Lossless
        : int.TryParse(text, out var number) ? number : throw CliException.Usage($"'{text}' is no rank.", "Give a whole number or 'lossless'.");
}

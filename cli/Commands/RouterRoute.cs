using System.CommandLine;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace router route</c>.</summary>
internal static class RouterRoute
{
    private const int MostTokens = 12; // shown of a module; --json has all

    /// <summary>The command's body over its arguments.</summary>
    public static Func<Call, CancellationToken, Task<int>> Run(
        Argument<string> id, Argument<string> file, Option<int?> topK, Option<double?> temperature, Option<bool> average, Option<bool> logits, Option<string?> recipe) => async (call, ct) =>
    {
        var path = call.Get(file);
        if (!File.Exists(path))
            throw CliException.Usage($"There is no file '{path}'.", "It holds hidden states by module, as safetensors or JSON.");
        var query = new List<string>();
        if (call.Get(topK) is { } k)
            query.Add($"topK={k}");
        if (call.Get(temperature) is { } t)
            query.Add(string.Create(CultureInfo.InvariantCulture, $"temperature={t:r}"));
        if (call.Get(average) || call.Get(recipe) is not null)
            query.Add("average=true");
        if (call.Get(logits))
            query.Add("logits=true");
        using var stream = File.OpenRead(path);
        using var body = new StreamContent(stream);
        body.Headers.ContentType = new MediaTypeHeaderValue(path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) ? "application/octet-stream" : "application/json");
        var view = await call.Connect().Route(call.Get(id), string.Join('&', query), body, ct);
        if (call.Get(recipe) is { } target)
            await WriteRecipe(call, view, target, ct);
        call.Terminal.Result(view, console => Show(console, view));
        return ExitCode.Ok;
    };

    private static async Task WriteRecipe(Call call, RouteView view, string target, CancellationToken ct)
    {
        if (view.Recipe is null)
            throw new CliException("no-recipe", ExitCode.Refused, "There is no recipe: no adapter takes part, or there are too many modules for one.");
        await File.WriteAllTextAsync(target, JsonSerializer.Serialize(view.Recipe, ApiJson.Options), ct);
        call.Terminal.Say($"Written to {target}. `marketplace merge {target} -o NAME` carries it out.");
    }

    private static void Show(IAnsiConsole console, RouteView view)
    {
        var table = Tables.Create("module", "token", "adapters and coefficients");
        foreach (var module in view.Modules)
        {
            var name = module.Members.Length > 1 ? $"{module.Module} (+{module.Members.Length - 1} tied)" : module.Module;
            if (module.Mean is { } mean)
            {
                table.Row(name, $"mean of {module.Tokens}", Mix(view, [.. Enumerable.Range(0, mean.Length).Where(e => mean[e] > 0).OrderByDescending(e => mean[e])], e => mean[e]));
                continue;
            }

            for (var token = 0; token < Math.Min(module.Tokens, MostTokens); token++)
            {
                var (indices, coefficients) = (module.Indices![token], module.Coefficients![token]);
                table.Row(token == 0 ? name : "", $"{token}", Mix(view, indices, e => coefficients[Array.IndexOf(indices, e)]));
            }

            if (module.Tokens > MostTokens)
                table.Row("", "…", $"{module.Tokens - MostTokens} more tokens; --json has them");
        }

        console.Write(table);
        console.WriteLine($"top {view.TopK}, temperature {Units.Number(view.Temperature)}; router {view.RouterId}");
    }

    private static string Mix(RouteView view, int[] experts, Func<int, double> coefficient) =>
        experts.Length == 0 ? "nobody" : string.Join(", ", experts.Select(e => $"{view.Experts[e]} {Units.Number(coefficient(e))}"));
}

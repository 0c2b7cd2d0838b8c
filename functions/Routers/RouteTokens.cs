using System.Collections.Immutable;
using System.Globalization;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Routers;

/// <summary>Which adapters of a router take which tokens; computed at once, nothing is stored. Of the router only the tensors that are asked about are read.</summary>
public static class RouteTokens
{
    private const int MaxTokens = 4096;

    [RequestSizeLimit(RouteBody.MaxBytes)]
    public static async Task<Results<Ok<RouteView>, ProblemHttpResult>> Handle(
        string id, Requester requester, MarketplaceStorage storage, IOptions<MarketplaceOptions> options, HttpContext context, CancellationToken cancellationToken,
        string? topK = null, string? temperature = null, string? average = null, string? logits = null)
    {
        var (router, problem) = await GetRouter.FindAsync(id, requester, storage, cancellationToken);
        if (router is null)
            return problem!;
        int? k = null;
        if (topK is not null)
        {
            if (!int.TryParse(topK, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) || parsed < 1)
                return Problems.InvalidRequest("topK", "topK is at least 1.");
            k = parsed;
        }

        double? t = null;
        if (temperature is not null)
        {
            if (!double.TryParse(temperature, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) || !(parsed > 0) || !double.IsFinite(parsed))
                return Problems.InvalidRequest("temperature", "A temperature is a positive number.");
            t = parsed;
        }

        if (!Flag(average, out var mean))
            return Problems.InvalidRequest("average", "average is true or false.");
        if (!Flag(logits, out var isLogits))
            return Problems.InvalidRequest("logits", "logits is true or false.");

        var (body, unreadable) = await RouteBody.ReadAsync(context.Request, isLogits, cancellationToken);
        if (body is null)
            return unreadable!;
        var description = RouterModel.ParseDescription(await storage.Routers.ReadAsync(id, RouterModel.DescriptionFile, cancellationToken));
        var (asked, wrong) = Check(description, body, k ?? description.TopK, mean, options.Value);
        if (asked is null)
            return wrong!;
        var model = await ReadAsync(storage, router, description, body.IsLogits ? [] : [.. asked.Values.DistinctBy(m => m.Tensor)], cancellationToken);
        return TypedResults.Ok(await Task.Run(() => Route(model, router, description, body, asked, k, t, mean), cancellationToken));
    }

    // The routed module of each module that was sent, or the first thing that is wrong.
    private static (Dictionary<string, RouterModule>? Asked, ProblemHttpResult? Problem) Check(RouterDescription description, RouteBody body, int topK, bool mean, MarketplaceOptions limits)
    {
        if (body.Modules.IsEmpty)
            return (null, RouteBody.Issue("no-inputs", body.IsLogits ? "logits" : "inputs", "There are no tokens to route."));
        var byMember = description.Modules.SelectMany(m => m.Members.Select(name => (name, m))).ToDictionary(p => p.name, p => p.m, StringComparer.Ordinal);
        var asked = new Dictionary<string, RouterModule>(StringComparer.Ordinal);
        var (work, answer) = (0d, 0L);
        foreach (var (name, (place, tokens)) in body.Modules)
        {
            if (!byMember.TryGetValue(name, out var module))
                return (null, RouteBody.Issue("module-unknown", place, $"The router has no module '{name}'; it has {description.Modules[0].Tensor} and {description.Modules.Length - 1} others."));
            if (asked.FirstOrDefault(a => a.Value.Tensor == module.Tensor).Key is { } other)
                return (null, RouteBody.Issue("module-repeated", place, $"'{name}' is tied to '{other}': send one of them."));
            var width = body.IsLogits ? description.Experts.Length : module.In;
            if (tokens.Rows is 0 or > MaxTokens)
                return (null, RouteBody.Issue("tokens-count", place, $"{tokens.Rows} tokens were sent; a module takes 1 to {MaxTokens}."));
            if (tokens.Columns != width)
                return (null, RouteBody.Issue("width-mismatch", place, $"Tokens have {tokens.Columns} numbers here, '{name}' takes {width}."));
            if (RouterBatch.FirstUnusable(tokens.Values) is >= 0 and var at)
                return (null, RouteBody.Issue("not-finite", $"{place}[{at / width}][{at % width}]", "The number is NaN, infinite or beyond single precision."));
            asked.Add(name, module);
            work += (double)tokens.Rows * width * (body.IsLogits ? 1 : description.Experts.Length);
            answer += mean ? description.Experts.Length : (long)tokens.Rows * Math.Min(topK, description.Experts.Length);
        }

        if (work > limits.MaxRoutedWork)
            return (null, RouteBody.Issue("too-much-work", "inputs", "Tokens, sizes and adapters multiply to more than is computed on request: send fewer modules or tokens at a time."));
        return answer <= limits.MaxRoutedCoefficients ? (asked, null) : (null, RouteBody.Issue(
            "answer-too-large", "inputs", $"The answer would have {answer} coefficients; up to {limits.MaxRoutedCoefficients} are sent. Ask for average=true, fewer modules or fewer tokens."));
    }

    // The part of the router that is needed: the header of the file, then the ranges of single tensors.
    private static async Task<RouterModel> ReadAsync(
        MarketplaceStorage storage, RouterView router, RouterDescription description, ImmutableArray<RouterModule> modules, CancellationToken cancellationToken)
    {
        var prototypes = ImmutableDictionary.CreateBuilder<string, float[]>(StringComparer.Ordinal);
        if (!modules.IsEmpty)
        {
            var size = router.Files.First(f => f.Name == RouterModel.PrototypesFile).Size;
            var length = await Range(0, SafetensorsHeader.LengthBytes);
            byte[] start = [.. length, .. await Range(length.Length, BitConverter.ToInt64(length))];
            var header = SafetensorsHeader.Parse(new MemoryStream(start), size).Header ?? throw new InvalidDataException($"The prototypes of router {router.Id} can't be read.");
            foreach (var module in modules)
            {
                var tensor = header.Find(module.Tensor)!;
                var rows = new float[tensor.ElementCount];
                TensorConversion.ToSingle(tensor.Type, await Range(header.DataStart + tensor.Begin, tensor.ByteLength), rows);
                prototypes.Add(module.Tensor, rows);
            }
        }

        return new(description with { Modules = modules }, prototypes.ToImmutable());

        Task<byte[]> Range(long offset, long count) => storage.Routers.ReadAsync(router.Id, RouterModel.PrototypesFile, offset, count, cancellationToken);
    }

    private static RouteView Route(
        RouterModel model, RouterView router, RouterDescription description, RouteBody body, Dictionary<string, RouterModule> asked, int? topK, double? temperature, bool mean)
    {
        var modules = new List<RoutedModuleView>();
        foreach (var (name, (_, tokens)) in body.Modules)
        {
            var module = asked[name];
            var routed = body.IsLogits
                ? RouterBatch.RouteLogits(model, module, tokens, topK, temperature)
                : RouterBatch.Route(model, module, tokens, topK, temperature);
            modules.Add(mean
                ? new(name, module.Members, routed.Tokens, Mean: routed.Mean())
                : new(name, module.Members, routed.Tokens, [.. Rows(routed.Indices, routed)], [.. Rows(routed.Coefficients, routed)]));
        }

        return new(router.Id, topK ?? description.TopK, temperature ?? description.Temperature, description.Experts, modules, mean ? Recipe(description, modules) : null);
    }

    private static IEnumerable<T[]> Rows<T>(T[] values, RoutedTokens routed) =>
        Enumerable.Range(0, routed.Tokens).Select(t => values[(t * routed.Width)..((t + 1) * routed.Width)]);

    // Σ cₑ·ΔWₑ at every module that was routed, and nothing elsewhere.
    private static RouteRecipe? Recipe(RouterDescription description, List<RoutedModuleView> modules)
    {
        // A filter is a part of a name, and the first that fits counts: longer names come first.
        var members = modules.SelectMany(m => m.Members.Select(name => (Name: name, m.Mean))).OrderByDescending(m => m.Name.Length).ThenBy(m => m.Name, StringComparer.Ordinal).ToList();
        if (members.Count >= RecipeValue.MaxEntries)
            return null;
        var inputs = Enumerable.Range(0, description.Experts.Length).Where(e => members.Any(m => m.Mean![e] > 0)).Select(e => new RouteRecipeInput(
            description.Experts[e],
            RecipeValue.When([.. members.Where(m => m.Mean![e] > 0 || Hides(m.Name)).Select(m => new RecipeCondition(m.Name, m.Mean![e])), new RecipeCondition(null, 0)]))).ToList();
        return inputs.Count == 0 ? null : new("task_arithmetic", inputs);

        // Whether leaving a zero out would let a shorter filter apply.
        bool Hides(string name) => members.Any(m => m.Name.Length < name.Length && name.Contains(m.Name, StringComparison.Ordinal));
    }

    private static bool Flag(string? text, out bool value)
    {
        value = text == "true";
        return text is null or "true" or "false";
    }
}

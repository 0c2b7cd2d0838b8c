using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Marketplace.Core.Methods;

/// <summary>
/// Which modules an adapter has to be completed by so that each kind of module is present in every layer seen: some servers drop a
/// kind of module altogether if a layer lacks it.
/// </summary>
internal static partial class LayerCoverage
{
    /// <summary>The modules to add, and the names of those whose shape can't be told because it varies between layers.</summary>
    /// <param name="modules">The modules that are there.</param>
    public static (ImmutableArray<TargetModule> Missing, ImmutableArray<string> Unknown) Of(IEnumerable<TargetModule> modules)
    {
        var layered = modules.Select(m => (Module: m, Match: Layer().Match(m.Name))).Where(m => m.Match.Success)
            .Select(m => (m.Module, Stack: m.Match.Groups["stack"].Value, Index: int.Parse(m.Match.Groups["index"].Value, CultureInfo.InvariantCulture),
                Part: m.Match.Groups["rest"].Value))
            .ToList();
        var layers = layered.GroupBy(m => m.Stack).ToDictionary(g => g.Key, g => g.Select(m => m.Index).ToHashSet());
        var missing = new List<TargetModule>();
        var unknown = new List<string>();
        foreach (var kind in layered.GroupBy(m => (m.Stack, m.Part)))
        {
            var names = layers[kind.Key.Stack].Except(kind.Select(m => m.Index)).Select(i => $"{kind.Key.Stack}{i}.{kind.Key.Part}");
            var shapes = kind.Select(m => (m.Module.Kind, m.Module.Out, m.Module.In, m.Module.Kernel)).Distinct().Count();
            if (shapes == 1)
                missing.AddRange(names.Select(n => kind.First().Module with { Name = n }));
            else
                unknown.AddRange(names);
        }
        return ([.. missing.OrderBy(m => m.Name, StringComparer.Ordinal)], [.. unknown.Order(StringComparer.Ordinal)]);
    }

    /// <summary>The stack of layers that a module lies in (the name up to the layer's number) and the number; null outside of layers.</summary>
    public static (string Stack, int Index)? LayerOf(string module) =>
        Layer().Match(module) is { Success: true } match
            ? (match.Groups["stack"].Value, int.Parse(match.Groups["index"].Value, CultureInfo.InvariantCulture))
            : null;

    /// <summary>The ending by which target_modules names a module: its last part, and the part before it where the last is only a number.</summary>
    public static string Suffix(string module)
    {
        var parts = module.Split('.');
        var last = parts.Length - 1;
        while (last > 0 && parts[last].All(char.IsAsciiDigit))
            last--;
        return string.Join('.', parts[last..]);
    }

    // The first number in a name counts layers; later ones count experts and the like.
    [GeneratedRegex(@"^(?<stack>(?:.*?\.)??)(?<index>[0-9]{1,9})\.(?<rest>.+)$", RegexOptions.CultureInvariant)]
    private static partial Regex Layer();
}

using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;

namespace Marketplace.Cli.Demo;

/// <summary>Routes tokens once more here, from the adapters themselves, and compares.</summary>
internal static class RoutingCheck
{
    /// <summary>What prototypes in float32 and numbers on their way through JSON cost.</summary>
    public const double Tolerance = 1e-5;

    private const int TokensPerModule = 8;

    /// <summary>Random tokens for each module, the same on every machine.</summary>
    public static Dictionary<string, IReadOnlyList<IReadOnlyList<double>>> Tokens(IReadOnlyList<Adapter> experts) => experts
        .SelectMany(e => e.Modules).DistinctBy(m => m.Name)
        .ToDictionary(m => m.Name, m => Tokens(m.In, new Philox(1, $"demo tokens {m.Name}")), StringComparer.Ordinal);

    /// <summary>The largest difference of a coefficient from the one that the reference finds.</summary>
    public static double Difference(
        RouteView routed, IReadOnlyDictionary<string, IReadOnlyList<IReadOnlyList<double>>> tokens, IReadOnlyList<Adapter> experts, int topK)
    {
        DemoCheck.That(routed.Modules.Select(m => m.Module).ToHashSet().SetEquals(tokens.Keys), "Not every module was routed.");
        var largest = 0d;
        foreach (var module in routed.Modules)
        {
            var prototypes = experts.Select(e => e.Delta(module.Module) is { } delta ? Prototype.Of(module.Module, delta) : null).ToList();
            foreach (var (token, t) in tokens[module.Module].Select((token, t) => (token, t)))
            {
                var weights = Router.Weights([.. token], prototypes, topK);
                for (var i = 0; i < module.Indices![t].Length; i++)
                {
                    var expert = module.Indices[t][i];
                    largest = Math.Max(largest, Math.Abs(weights[expert] - module.Coefficients![t][i]));
                    weights[expert] = 0;
                }

                // Whoever was not chosen there must not be chosen here.
                largest = Math.Max(largest, weights.Max());
            }
        }

        return largest;
    }

    private static IReadOnlyList<IReadOnlyList<double>> Tokens(int size, Philox random) =>
        [.. Enumerable.Range(0, TokensPerModule).Select(_ => Enumerable.Range(0, size).Select(_ => (2 * random.NextDouble()) - 1).ToArray())];
}

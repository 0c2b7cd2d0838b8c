using System.Collections.Immutable;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Methods;

/// <summary>
/// Groups modules that read the same input, so that they are routed by one joint prototype. A tie is a list of the last parts of module names,
/// such as q_proj, k_proj, v_proj; it groups what has the same name before that part.
/// </summary>
public static class RouterTies
{
    /// <summary>A tie has fewer than two names, or an empty one.</summary>
    public const string Invalid = "tie-invalid";

    /// <summary>A name is in two ties.</summary>
    public const string Overlaps = "tie-overlaps";

    /// <summary>A tie fits no module of any adapter.</summary>
    public const string Unmatched = "tie-unmatched";

    /// <summary>Tied modules have inputs of different sizes, so they can't share a direction.</summary>
    public const string InputsDiffer = "tie-inputs-differ";

    /// <summary>Groups modules; those that no tie names stay alone.</summary>
    /// <param name="modules">Modules by name, each once.</param>
    /// <param name="ties">Lists of the last parts of names.</param>
    /// <param name="found">Takes what is wrong with the ties; its places count them.</param>
    /// <returns>The groups in ordinal order of their first members.</returns>
    public static ImmutableArray<ImmutableArray<TargetModule>> Group(
        IReadOnlyCollection<TargetModule> modules, IReadOnlyList<IReadOnlyList<string>> ties, ICollection<MergeProblem> found)
    {
        Check(ties, found);
        var groups = new Dictionary<string, List<(int Position, TargetModule Module)>>(StringComparer.Ordinal);
        var matched = new bool[ties.Count];
        foreach (var module in modules)
        {
            var (tie, position, parent) = Find(module.Name, ties);
            if (tie >= 0)
                matched[tie] = true;
            var key = tie < 0 ? $"alone {module.Name}" : $"{tie} {parent}";
            if (!groups.TryGetValue(key, out var members))
                groups.Add(key, members = []);
            members.Add((position, module));
        }

        for (var i = 0; i < ties.Count; i++)
        {
            if (!matched[i] && modules.Count > 0)
                found.Add(new(Unmatched, $"No adapter has a module named {string.Join(" or ", ties[i])}.", Place: $"tie[{i}]"));
        }

        var ordered = groups.Values.Select(g => g.OrderBy(m => m.Position).Select(m => m.Module).ToImmutableArray()).ToList();
        foreach (var group in ordered.Where(g => g.Any(m => m.In != g[0].In)))
        {
            var other = group.First(m => m.In != group[0].In);
            found.Add(new(
                InputsDiffer, $"{group[0].Name} has inputs of size {group[0].In}, {other.Name} of size {other.In}: they can't be routed jointly.", Module: other.Name,
                Place: $"tie[{Find(other.Name, ties).Tie}]"));
        }

        return [.. ordered.OrderBy(g => g[0].Name, StringComparer.Ordinal)];
    }

    private static void Check(IReadOnlyList<IReadOnlyList<string>> ties, ICollection<MergeProblem> found)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < ties.Count; i++)
        {
            if (ties[i].Count < 2 || ties[i].Any(string.IsNullOrEmpty))
                found.Add(new(Invalid, "A tie is a list of two or more last parts of module names, such as q_proj, k_proj, v_proj.", Place: $"tie[{i}]"));
            foreach (var name in ties[i].Where(name => !seen.Add(name)))
                found.Add(new(Overlaps, $"'{name}' is named twice: a module is routed once.", Place: $"tie[{i}]"));
        }
    }

    // The longest name wins, so that attn.q and q may both be given.
    private static (int Tie, int Position, string Parent) Find(string module, IReadOnlyList<IReadOnlyList<string>> ties)
    {
        var (best, parent) = ((Tie: -1, Position: 0), module);
        for (var tie = 0; tie < ties.Count; tie++)
            for (var position = 0; position < ties[tie].Count; position++)
            {
                var suffix = ties[tie][position];
                var fits = suffix.Length > 0 && (module == suffix || module.EndsWith("." + suffix, StringComparison.Ordinal));
                if (fits && module.Length - suffix.Length < parent.Length)
                    (best, parent) = ((tie, position), module[..^suffix.Length]);
            }

        return (best.Tie, best.Position, parent);
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Methods;

/// <summary>How a router is to be made.</summary>
/// <param name="TopK">How many adapters share a token; by default 4, and 3 after a subtraction.</param>
/// <param name="Temperature">Divides the logits before the softmax; positive.</param>
/// <param name="Combination">How outputs become one.</param>
/// <param name="UnitInputs">Whether tokens are divided by their norm.</param>
public sealed record RouterOptions(
    int? TopK = null, double Temperature = 1, RouterCombination Combination = RouterCombination.MergeAfter, bool UnitInputs = false)
{
    /// <summary>Modules that are routed jointly: lists of the last parts of their names.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Ties { get; init; } = [];
}

/// <summary>A prototype that was computed before.</summary>
/// <param name="Direction">v, rounded to single precision.</param>
/// <param name="S1">The largest singular value, more than 0.</param>
/// <param name="S2">The next one.</param>
public sealed record KnownPrototype(float[] Direction, double S1, double S2);

/// <summary>
/// The prototypes of a set of adapters, checked and ready to be computed: the top right singular vector of each ΔW, exact; of the residual where general knowledge is
/// subtracted; of [ΔW₁; ΔW₂; …] where modules are tied. No ΔW is formed.
/// </summary>
public sealed class RouterPlan
{
    private readonly IReadOnlyList<string> names;
    private readonly IReadOnlyList<Adapter> experts;
    private readonly RouterSubtraction? subtraction;
    private readonly RouterResidual? residual;
    private readonly RouterOptions options;
    private readonly ImmutableArray<ImmutableArray<TargetModule>> groups;
    private readonly ImmutableArray<RouterLeftOut> leftOut;

    private RouterPlan(
        IReadOnlyList<string> names, IReadOnlyList<Adapter> experts, RouterSubtraction? subtraction, RouterResidual? residual, RouterOptions options,
        ImmutableArray<ImmutableArray<TargetModule>> groups, ImmutableArray<RouterLeftOut> leftOut) =>
        (this.names, this.experts, this.subtraction, this.residual, this.options, this.groups, this.leftOut) = (names, experts, subtraction, residual, options, groups, leftOut);

    /// <summary>Checks what is asked for.</summary>
    /// <param name="names">What the experts are called.</param>
    /// <param name="experts">The experts, of one base model, which is the caller's to know; they stay open while the plan is used.</param>
    /// <param name="subtraction">What is subtracted; null for nothing.</param>
    /// <param name="general">The general adapters, as the subtraction names them.</param>
    /// <param name="options">The rest.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="problems">Everything that is wrong; inputs are counted over experts first, then general adapters.</param>
    /// <exception cref="ArgumentException">Names and adapters differ in number.</exception>
    public static bool TryCreate(
        IReadOnlyList<string> names, IReadOnlyList<Adapter> experts, RouterSubtraction? subtraction, IReadOnlyList<Adapter> general, RouterOptions options,
        [NotNullWhen(true)] out RouterPlan? plan, out ImmutableArray<MergeProblem> problems)
    {
        if (names.Count != experts.Count || (subtraction?.General.Length ?? 0) != general.Count || (subtraction?.Weights.Length ?? 0) != general.Count)
            throw new ArgumentException("Every adapter has a name, and every general one a weight.", nameof(names));
        var found = new List<MergeProblem>();
        if (experts.Count == 0)
            found.Add(new(MergeProblem.NoInputs, "There is nothing to route among."));
        MergeChecks.Comparable(found, [.. experts, .. general]);
        var residual = subtraction is null ? null : new RouterResidual(general, subtraction.Weights, subtraction.Beta, subtraction.Mode);
        residual?.Check(found, experts);
        if (options.TopK is < 1)
            found.Add(new(MergeProblem.ParameterInvalid, "topK is at least 1.", Place: "topK"));
        if (!(options.Temperature > 0) || !double.IsFinite(options.Temperature))
            found.Add(new(MergeProblem.ParameterInvalid, "A temperature is a positive number.", Place: "temperature"));

        var union = experts.SelectMany(a => a.Modules).DistinctBy(m => m.Name).OrderBy(m => m.Name, StringComparer.Ordinal).ToList();
        List<TargetModule> linear = [.. union.Where(m => m.Kind == ModuleKind.Linear)];
        if (experts.Count > 0 && linear.Count == 0)
            found.Add(new(MergeProblem.NoModules, "None of the adapters adapts a linear layer, and only these have tokens to route."));
        var groups = RouterTies.Group(linear, options.Ties, found);
        problems = [.. found];
        plan = found.Count > 0 ? null : new(
            names, experts, subtraction, residual, options, groups,
            [.. union.Where(m => m.Kind != ModuleKind.Linear).Select(m => new RouterLeftOut(m.Name, $"It is {m.Kind}: its input is no hidden state."))]);
        return plan is not null;
    }

    /// <summary>Bytes of all prototypes in single precision.</summary>
    public long Bytes => groups.Sum(g => (long)g[0].In * experts.Count * sizeof(float));

    /// <summary>ΔW of an expert at a module as it is routed: what general knowledge leaves of it, where that is subtracted. Null where it lacks the module.</summary>
    /// <param name="expert">Its index.</param>
    /// <param name="module">The module's name.</param>
    public LowRankDelta? Delta(int expert, string module)
    {
        if (experts[expert].Find(module) is not { } own)
            return null;
        var delta = experts[expert].Delta(module)!;
        return residual is null ? delta : residual.Of(own, delta);
    }

    /// <summary>Computes all prototypes.</summary>
    /// <param name="cancellation">Looked at before each module.</param>
    /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public RouterModel Compute(CancellationToken cancellation = default)
    {
        var computation = Begin();
        for (var expert = 0; expert < experts.Count; expert++)
            computation.Add(expert, null, cancellation);
        return computation.Finish();
    }

    /// <summary>Begins to compute, expert by expert.</summary>
    public RouterComputation Begin() => new(this);

    /// <summary>Takes the prototypes of one expert after the other.</summary>
    public sealed class RouterComputation
    {
        private readonly RouterPlan plan;
        private readonly float[][] prototypes;
        private readonly RouterEntry[][] entries;

        internal RouterComputation(RouterPlan plan)
        {
            this.plan = plan;
            prototypes = [.. plan.groups.Select(g => new float[plan.experts.Count * g[0].In])];
            entries = [.. plan.groups.Select(_ => new RouterEntry[plan.experts.Count])];
        }

        /// <summary>Computes the prototypes of one expert, modules side by side.</summary>
        /// <param name="expert">Its index.</param>
        /// <param name="known">Prototypes of its ΔW that are known; they are taken where nothing is subtracted and a module is not tied.</param>
        /// <param name="cancellation">Looked at before each module.</param>
        /// <exception cref="NotFiniteNumberException">A factor holds NaN or infinity.</exception>
        /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
        public void Add(int expert, IReadOnlyDictionary<string, KnownPrototype>? known, CancellationToken cancellation)
        {
            try
            {
                Parallel.For(0, plan.groups.Length, new ParallelOptions { CancellationToken = cancellation }, g =>
                {
                    var group = plan.groups[g];
                    var row = prototypes[g].AsSpan(expert * group[0].In, group[0].In);
                    var found = plan.residual is null && group.Length == 1 ? known?.GetValueOrDefault(group[0].Name) : null;
                    entries[g][expert] = found is null ? plan.Entry(expert, group, row) : plan.Entry(expert, group, row, found);
                });
            }
            catch (AggregateException all) when (all.InnerExceptions is [NotFiniteNumberException first, ..])
            {
                throw first;
            }
        }

        /// <summary>The router, once every expert was added.</summary>
        public RouterModel Finish()
        {
            var modules = plan.groups.Select((g, i) => new RouterModule(g[0].Name, g[0].In, [.. g.Select(m => m.Name)], [.. entries[i]])).ToImmutableArray();
            return new(
                new(
                    RouterDescription.CurrentFormat, [.. plan.names], plan.options.TopK ?? RouterDescription.DefaultTopK(plan.subtraction is not null), plan.options.Temperature,
                    plan.options.Combination, plan.options.UnitInputs, plan.subtraction, modules, plan.leftOut),
                modules.Zip(prototypes).ToImmutableDictionary(m => m.First.Tensor, m => m.Second, StringComparer.Ordinal));
        }
    }

    private RouterEntry Entry(int expert, ImmutableArray<TargetModule> group, Span<float> row, KnownPrototype known)
    {
        known.Direction.AsSpan().CopyTo(row);
        return Routed(known.S1, known.S2, [experts[expert].Find(group[0].Name)?.Scaling]);
    }

    private static RouterEntry Routed(double s1, double s2, ImmutableArray<double?> scalings) =>
        new(RouterEntryState.Routed, s1, s2, s2 / s1, new Prototype("", [], s1, s2).Degenerate, scalings);

    private RouterEntry Entry(int expert, ImmutableArray<TargetModule> group, Span<float> row)
    {
        ImmutableArray<double?> scalings = [.. group.Select(m => experts[expert].Find(m.Name)?.Scaling)];
        var deltas = new List<LowRankDelta>(group.Length);
        foreach (var member in group)
        {
            if (Delta(expert, member.Name) is { } delta)
                deltas.Add(delta);
        }

        if (deltas.Count == 0)
            return new(RouterEntryState.Missing, 0, 0, 0, false, scalings);
        var prototype = Prototype.Of(group[0].Name, Stack(deltas));
        if (prototype.IsZero)
            return new(RouterEntryState.Zero, 0, 0, 0, false, scalings);
        for (var i = 0; i < row.Length; i++)
            row[i] = (float)prototype.Direction[i];
        return Routed(prototype.S1, prototype.S2, scalings);
    }

    /// <summary>[ΔW₁; ΔW₂; …] in factors: B block by block on the diagonal, A one below the other.</summary>
    /// <param name="deltas">Deltas with inputs of one size, at least one.</param>
    internal static LowRankDelta Stack(IReadOnlyList<LowRankDelta> deltas)
    {
        if (deltas.Count == 1)
            return deltas[0];
        var (b, a) = (new Matrix(deltas.Sum(d => d.Out), deltas.Sum(d => d.Rank)), new Matrix(deltas.Sum(d => d.Rank), deltas[0].In));
        var (row, column) = (0, 0);
        foreach (var delta in deltas)
        {
            for (var i = 0; i < delta.Out; i++)
                delta.B.Row(i).CopyTo(b.Row(row + i).Slice(column, delta.Rank));
            delta.A.Values.CopyTo(a.Values, column * a.Columns);
            (row, column) = (row + delta.Out, column + delta.Rank);
        }

        return new(b, a);
    }
}

using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using MathNet.Numerics.LinearAlgebra;
using Xunit;
using Matrix = Marketplace.Core.Matrix;

namespace Marketplace.Tests.Routers;

public sealed class RouterPlanTests
{
    private static readonly string[][] Qkv = [["q_proj", "k_proj", "v_proj"]];

    [Fact]
    public void A_joint_prototype_is_that_of_the_stacked_deltas() => Gen.Int[0, 100_000].Sample(seed =>
    {
        var random = new Random(seed);
        var width = random.Next(2, 9);
        (string, LowRankDelta)[] modules = [.. new[] { "q_proj", "k_proj", "v_proj" }.Select(n => ("l.attn." + n, Adapters.Random(random, random.Next(1, 9), width, random.Next(1, 5))))];
        var router = Compute([Adapters.Of(2, modules)], new() { Ties = Qkv });

        var module = Assert.Single(router.Description.Modules);
        var rows = modules.SelectMany(m => Matrix<double>.Build.DenseOfArray(Dense.Of(m.Item2)).Multiply(2).EnumerateRows());
        var stacked = Matrix<double>.Build.DenseOfRowVectors(rows);
        var svd = stacked.Svd();
        Assert.Equal(["l.attn.q_proj", "l.attn.k_proj", "l.attn.v_proj"], module.Members);
        Assert.Equal("l.attn.q_proj", module.Tensor);
        Assert.Equal(svd.S[0], module.Experts[0].S1, 1e-10 * svd.S[0]);
        if (svd.S.Count > 1 && svd.S[0] - svd.S[1] < 1e-3 * svd.S[0])
            return;
        var cosine = svd.VT.Row(0).ToArray().Zip(router.Prototypes(module).ToArray(), (x, y) => x * y).Sum();
        Assert.Equal(1, Math.Abs(cosine), 1e-6);
    });

    [Fact]
    public void Members_of_a_tie_share_their_row_and_other_modules_stay_alone()
    {
        var random = new Random(3);
        LowRankDelta D() => Adapters.Random(random, 4, 6, 2);
        var router = Compute(
            [Adapters.Of(("a.0.q_proj", D()), ("a.0.v_proj", D()), ("a.1.q_proj", D()), ("a.1.k_proj", D()), ("a.0.o_proj", D()))], new() { Ties = Qkv });
        Assert.Equal(["a.0.o_proj", "a.0.q_proj a.0.v_proj", "a.1.q_proj a.1.k_proj"], router.Description.Modules.Select(m => string.Join(' ', m.Members)));
        Assert.Same(router.Find("a.0.q_proj"), router.Find("a.0.v_proj"));
        Assert.NotSame(router.Find("a.0.q_proj"), router.Find("a.1.q_proj"));
        Assert.Null(router.Find("a.1.v_proj"));
    }

    [Fact]
    public void Packed_modules_are_single_modules_and_longer_names_win()
    {
        var random = new Random(3);
        LowRankDelta D() => Adapters.Random(random, 4, 6, 2);
        var router = Compute(
            [Adapters.Of(("h.c_attn", D()), ("h.qkv_proj", D()), ("h.x.q", D()), ("h.x.attn.q", D()), ("h.x.attn.k", D()))],
            new() { Ties = [["attn.q", "attn.k"], ["q", "c_attn"]] });
        Assert.Equal(
            ["h.c_attn", "h.qkv_proj", "h.x.attn.q h.x.attn.k", "h.x.q"], router.Description.Modules.Select(m => string.Join(' ', m.Members)));
    }

    [Theory]
    [InlineData(RouterTies.Invalid, "tie[0]", "q_proj")]
    [InlineData(RouterTies.Overlaps, "tie[1]", "q_proj,k_proj", "v_proj,q_proj")]
    [InlineData(RouterTies.Unmatched, "tie[0]", "left,right")]
    [InlineData(RouterTies.InputsDiffer, "tie[1]", "q_proj,k_proj", "v_proj,wide")]
    public void A_tie_that_can_t_be_is_refused_with_its_place(string code, string place, params string[] ties)
    {
        var random = new Random(1);
        var adapter = Adapters.Of(("a.q_proj", Adapters.Random(random, 4, 6, 2)), ("a.v_proj", Adapters.Random(random, 4, 6, 2)), ("a.wide", Adapters.Random(random, 4, 7, 2)));
        var options = new RouterOptions { Ties = [.. ties.Select(t => t.Split(','))] };
        Assert.False(RouterPlan.TryCreate(["one"], [adapter], null, [], options, out _, out var problems));
        Assert.Contains(problems, p => p.Code == code && p.Place == place);
    }

    [Fact]
    public void What_an_expert_lacks_or_does_not_change_is_told_apart_and_not_routed()
    {
        var random = new Random(2);
        var trained = Adapters.Of(("q", Adapters.Random(random, 4, 3, 2)), ("v", Adapters.Random(random, 4, 3, 1)));
        var fresh = Adapters.Of(("q", new LowRankDelta(new Matrix(4, 2), Adapters.Random(random, 4, 3, 2).A)));
        var router = Compute([fresh, trained], new());
        Assert.Equal([RouterEntryState.Zero, RouterEntryState.Routed], router.Find("q")!.Experts.Select(e => e.State));
        Assert.Equal([RouterEntryState.Missing, RouterEntryState.Routed], router.Find("v")!.Experts.Select(e => e.State));
        Assert.Equal([1, null], router.Find("q")!.Experts.Select(e => e.Scalings[0]).Select((s, i) => i == 0 ? s : null));
        var tokens = Adapters.Fill(new Matrix(5, 3), random);
        foreach (var name in new[] { "q", "v" })
        {
            var routed = RouterBatch.Route(router, router.Find(name)!, tokens);
            Assert.Equal(1, routed.Width);
            Assert.All(routed.Indices, i => Assert.Equal(1, i));
            Assert.Equal([0, 1], routed.Mean());
        }

        Assert.Equal(0, RouterBatch.Route(Compute([fresh], new()), Compute([fresh], new()).Find("q")!, tokens).Width);
        Assert.Equal([0], RouterBatch.Route(Compute([fresh], new()), Compute([fresh], new()).Find("q")!, tokens).Mean());
    }

    [Fact]
    public void The_same_delta_in_other_factors_has_the_same_prototype() => Gen.Select(Gen.Int[0, 100_000], Gen.Int[0, 999]).Sample((seed, gauge) =>
    {
        var random = new Random(seed);
        var (task, general) = (Adapters.Random(random, 7, 9, random.Next(1, 5)), Adapters.Random(random, 7, 9, random.Next(1, 5)));
        RouterModel Of(LowRankDelta t, LowRankDelta g) => Compute([Adapters.Of(2, ("q", t))], new(), (1, Adapters.Of(4, ("q", g))));
        var router = Of(task, general);
        var other = Of(Cases.Pad(Cases.Regauge(task, gauge), 2), Cases.Regauge(general, gauge + 1));
        var (one, two) = (router.Find("q")!, other.Find("q")!);
        Assert.Equal(one.Experts[0].S1, two.Experts[0].S1, 1e-9 * one.Experts[0].S1);
        if (one.Experts[0].S1 - one.Experts[0].S2 > 0.01 * one.Experts[0].S1)
            Assert.Equal(1, Math.Abs(System.Numerics.Tensors.TensorPrimitives.CosineSimilarity(router.Prototypes(one), other.Prototypes(two))), 1e-5);
    });

    [Fact]
    public void An_exact_subtraction_is_that_of_the_merge_and_of_an_adapter_from_itself_leaves_nothing()
    {
        var random = new Random(5);
        var (task, one, two) = (Adapters.Of(2, ("q", Adapters.Random(random, 7, 9, 3))), Adapters.Of(1, ("q", Adapters.Random(random, 7, 9, 2))), Adapters.Of(3, ("q", Adapters.Random(random, 7, 9, 1))));
        Assert.True(MergePlan.TryCreate(WeightedSum.Subtraction([1, 3], 0.5), [task, one, two], out var plan, out _));
        var merged = Prototype.Of("q", Merging.Run(plan, [task, one, two]).Single().Delta);
        var router = Compute([task], new(), (1, one), (3, two));
        Assert.NotEqual(merged.S1, router.Find("q")!.Experts[0].S1, 1e-3);
        router = Compute([task], new(), 0.5, (1, one), (3, two));
        Assert.Equal(merged.S1, router.Find("q")!.Experts[0].S1, 1e-10);
        Assert.Equal(1, Math.Abs(merged.Direction.Zip(router.Prototypes(router.Find("q")!).ToArray(), (x, y) => x * y).Sum()), 1e-6);

        Assert.Equal(RouterEntryState.Zero, Compute([task], new(), (1, task)).Find("q")!.Experts[0].State);
    }

    [Fact]
    public void What_can_t_be_routed_is_refused()
    {
        var random = new Random(1);
        var (small, large) = (Adapters.Of(("q", Adapters.Random(random, 4, 3, 2))), Adapters.Of(("q", Adapters.Random(random, 4, 3, 3))));
        var wide = Adapters.Of(("q", Adapters.Random(random, 4, 5, 2)));
        var dora = Adapters.Of([(new TargetModule("q", ModuleKind.Linear, 4, 3, 2, 1, HasMagnitude: true), Adapters.Random(random, 4, 3, 2))]);
        var embedding = Adapters.Of([(new TargetModule("e", ModuleKind.Embedding, 4, 3, 2, 1), Adapters.Random(random, 4, 3, 2))]);
        RouterSubtraction Minus(double weight = 1, RouterSubtractionMode mode = RouterSubtractionMode.Exact) => new(["g"], [weight], 1, mode);
        Refused(MergeProblem.NoInputs, [], null);
        Refused(MergeProblem.NoModules, [embedding], null);
        Refused(MergeProblem.ModuleShapeMismatch, [small, wide], null);
        Refused(MergeProblem.ModuleShapeMismatch, [small], Minus(), wide);
        Refused(MergeProblem.DoraNotMergeable, [small, dora], null);
        Refused(MergeProblem.WeightsInvalid, [small], Minus(0), large);
        Refused(MergeProblem.WeightsNotFinite, [small], Minus(double.NaN), large);
        Refused(MergeProblem.FactorsNotComparable, [small], Minus(1, RouterSubtractionMode.Factorwise), large);
        Refused(MergeProblem.FactorsNotComparable, [small], Minus(1, RouterSubtractionMode.Factorwise), Adapters.Of(0, ("q", Adapters.Random(random, 4, 3, 2))));
        Assert.True(RouterPlan.TryCreate(["a", "b"], [small, large], Minus(), [large], new(), out _, out _)); // exact: any rank

        static void Refused(string code, Adapter[] experts, RouterSubtraction? subtraction, params Adapter[] general)
        {
            Assert.False(RouterPlan.TryCreate([.. experts.Select((_, i) => $"{i}")], experts, subtraction, general, new(), out _, out var problems));
            Assert.Contains(code, problems.Select(p => p.Code));
        }
    }

    [Fact]
    public void Embeddings_are_left_out_and_said()
    {
        var random = new Random(1);
        var router = Compute([Adapters.Of(
            [(new TargetModule("e", ModuleKind.Embedding, 4, 3, 2, 1), Adapters.Random(random, 4, 3, 2)), (new TargetModule("q", ModuleKind.Linear, 4, 3, 2, 1), Adapters.Random(random, 4, 3, 2))])], new());
        Assert.Equal("q", Assert.Single(router.Description.Modules).Tensor);
        Assert.Equal("e", Assert.Single(router.Description.LeftOut).Module);
    }

    [Fact]
    public void A_factor_that_is_not_finite_is_an_exception_and_not_a_prototype()
    {
        var delta = Adapters.Random(new Random(1), 4, 3, 2);
        delta.A[0, 0] = double.NaN;
        Assert.Throws<NotFiniteNumberException>(() => Compute([Adapters.Of(("q", delta))], new()));
    }

    private static RouterModel Compute(Adapter[] experts, RouterOptions options, params (double Weight, Adapter Adapter)[] general) => Compute(experts, options, 1, general);

    private static RouterModel Compute(Adapter[] experts, RouterOptions options, double beta, params (double Weight, Adapter Adapter)[] general)
    {
        var subtraction = general.Length == 0 ? null
            : new RouterSubtraction([.. general.Select((_, i) => $"g{i}")], [.. general.Select(g => g.Weight)], beta, RouterSubtractionMode.Exact);
        Assert.True(
            RouterPlan.TryCreate([.. experts.Select((_, i) => $"e{i}")], experts, subtraction, [.. general.Select(g => g.Adapter)], options, out var plan, out var problems),
            string.Join(' ', problems.Select(p => p.Message)));
        return plan.Compute();
    }
}

using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Methods;
using Xunit;

namespace Marketplace.Tests.Algebra;

public sealed class ArrowTests
{
    private static readonly double[] X = [1, -2, 0.5];

    [Fact]
    public void A_prototype_is_the_direction_that_the_delta_stretches_most() => Gen.Select(Cases.Delta, Gen.Int[0, 999]).Sample((delta, seed) =>
    {
        var (dense, prototype) = (Dense.Of(delta), Prototype.Of("q", delta));
        var most = Dense.SingularValues(dense)[0];
        Assert.Equal(most, prototype.S1, 1e-12 * (1 + most));
        if (prototype.IsZero)
            return;
        Assert.Equal(most, Length(Dense.Apply(dense, [.. prototype.Direction])), 1e-11 * (1 + most));
        Assert.Equal(1, Length(prototype.Direction), 1e-12);
        var other = Cases.Regauge(delta, seed);
        if (!prototype.Degenerate && prototype.S1 > 1e-6 * (1 + Math.Sqrt(delta.B.Values.Sum(x => x * x))))
            Assert.Equal(1, Math.Abs(prototype.Direction.Zip(Prototype.Of("q", other).Direction, (v, w) => v * w).Sum()), 1e-6);
    });

    [Fact]
    public void An_untrained_module_has_a_zero_prototype()
    {
        var prototype = Prototype.Of("q", new LowRankDelta(new Matrix(4, 2), Adapters.Random(new Random(1), 4, 3, 2).A));
        Assert.True(prototype.IsZero);
        Assert.False(prototype.Degenerate);
        Assert.Equal(new double[3], prototype.Direction);
    }

    [Fact]
    public void Two_nearly_equal_singular_values_make_a_prototype_degenerate()
    {
        static Prototype Diagonal(double second) =>
            Prototype.Of("q", new LowRankDelta(new Matrix(2, 2, [1, 0, 0, second]), new Matrix(2, 2, [1, 0, 0, 1])));
        Assert.True(Diagonal(0.9995).Degenerate);
        Assert.False(Diagonal(0.9985).Degenerate);
    }

    [Fact]
    public void Weights_are_a_softmax_over_the_largest_logits_and_do_not_see_signs()
    {
        Prototype[] prototypes = [Unit(1, 0, 0), Unit(0, 1, 0), Unit(0, 0, 1)]; // logits 1, 2, 0.5
        var e = Math.Exp(-1 / 0.5);
        Dense.AssertClose([e / (1 + e), 1 / (1 + e), 0], Router.Weights(X, prototypes, 2, 0.5), 1e-15);
        prototypes[1] = Unit(0, -1, 0);
        Dense.AssertClose([e / (1 + e), 1 / (1 + e), 0], Router.Weights(X, prototypes, 2, 0.5), 1e-15);
        Assert.Equal(1, Router.Weights(X, prototypes, 99).Sum(), 1e-15);
        Assert.All(Router.Weights(X, prototypes, 99), w => Assert.True(w > 0));
    }

    [Fact]
    public void Large_logits_do_not_overflow() =>
        Assert.Equal([0, 1, 0], Router.Weights([1e6, -2e6, 0], [Unit(1, 0, 0), Unit(0, 1, 0), Unit(0, 0, 1)], 3));

    [Fact]
    public void Ties_go_to_the_lower_index() => Assert.Equal([0, 1, 0], Router.Weights(X, [Unit(1, 0, 0), Unit(0, 1, 0), Unit(0, 1, 0)], 1));

    [Fact]
    public void Adapters_without_the_module_or_without_a_direction_take_no_part()
    {
        var none = new Prototype("q", [0, 0, 0], 0, 0);
        Assert.Equal([0, 0, 1, 0], Router.Weights(X, [null, none, Unit(0, 0, 1), null], 4));
        Assert.Equal([0, 0], Router.Weights(X, [null, none], 4));
    }

    private static Prototype Unit(params double[] direction) => new("q", [.. direction], 1, 0);

    private static double Length(IEnumerable<double> x) => Math.Sqrt(x.Sum(v => v * v));
}

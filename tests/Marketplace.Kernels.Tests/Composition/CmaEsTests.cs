using Marketplace.Core.Algebra;

namespace Marketplace.Kernels.Tests.Composition;

/// <summary>The black-box search by itself.</summary>
public class CmaEsTests
{
    private static readonly double[] Planted = [0.9, -0.3, 0.1, 1.2, -0.7, 0.4];

    [Fact]
    public void A_planted_optimum_is_found_within_the_budget_although_it_lies_in_a_narrow_valley()
    {
        var found = CmaEs.Minimize(Valley, new double[6], 1.5, 0.5, 600, 1);
        Assert.Equal(600, found.Values.Count);
        Assert.Equal(Valley(new double[6]), found.Values[0]);
        Assert.Equal(found.Values.Min(), found.Value);
        Assert.Equal(Valley(found.Best), found.Value);
        Assert.All(Planted.Zip(found.Best), pair => Assert.Equal(pair.First, pair.Second, 1e-2));
    }

    [Fact]
    public void The_same_seed_tries_the_same_points()
    {
        Assert.Equal(Points(7), Points(7));
        Assert.NotEqual(Points(7)[1], Points(8)[1]);
        Assert.Equal(Points(7)[0], Points(8)[0]);

        static List<double[]> Points(ulong seed)
        {
            var points = new List<double[]>();
            CmaEs.Minimize(p => { points.Add(p); return Valley(p); }, new double[6], 1.5, 0.5, 60, seed);
            return points;
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(11)]
    public void The_budget_is_spent_to_the_last_evaluation_and_no_point_lies_outside_of_the_box(int budget)
    {
        var count = 0;
        var found = CmaEs.Minimize(
            p =>
            {
                count++;
                Assert.All(p, x => Assert.InRange(x, -0.2, 0.2));
                return Valley(p);
            },
            new double[6], 0.2, 5, budget, 3);
        Assert.Equal((budget, budget), (count, found.Values.Count));
        Assert.True(found.Value <= Valley(new double[6]));
    }

    [Fact]
    public void An_optimum_beyond_the_box_is_approached_at_its_wall()
    {
        var found = CmaEs.Minimize(p => (p[0] - 3) * (p[0] - 3), [0], 1.5, 0.5, 80, 5);
        Assert.Equal(1.5, found.Best[0], 1e-2);
    }

    [Fact]
    public void What_is_not_a_number_is_never_the_best()
    {
        var found = CmaEs.Minimize(p => p[0] > 0.1 ? double.NaN : (p[0] + 1) * (p[0] + 1), [0, 0], 1.5, 0.5, 200, 5);
        Assert.Equal(-1, found.Best[0], 1e-2);
    }

    // Axes turned against each other, curvatures from 1 to 100.
    private static double Valley(double[] point)
    {
        var sum = 0.0;
        for (var i = 0; i < Planted.Length; i++)
        {
            var along = point[i] - Planted[i] + (0.5 * (point[(i + 1) % 6] - Planted[(i + 1) % 6]));
            sum += Math.Pow(100, i / 5.0) * along * along;
        }

        return sum;
    }
}

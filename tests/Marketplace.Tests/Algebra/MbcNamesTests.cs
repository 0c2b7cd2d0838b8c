using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Methods;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>Names of clusters from one clustering to the next.</summary>
public sealed class MbcNamesTests
{
    [Fact]
    public void The_best_assignment_is_the_one_that_trying_all_finds() => Gen.Select(Gen.Int[1, 6], Gen.Int[1, 6], Gen.Int[0, 100_000]).Sample((rows, columns, seed) =>
    {
        var random = new Random(seed);
        var weights = new Matrix(rows, columns);
        for (var i = 0; i < weights.Values.Length; i++)
            weights.Values[i] = seed % 2 == 0 ? random.Next(4) : Adapters.Normal(random);
        var assigned = Assignment.Maximum(weights);
        Assert.Equal(rows, assigned.Length);
        var used = assigned.Where(c => c >= 0).ToList();
        Assert.Equal(Math.Min(rows, columns), used.Distinct().Count());
        Assert.Equal(used.Count, used.Distinct().Count());
        Assert.Equal(Best(weights, 0, new bool[columns]), assigned.Select((c, r) => c < 0 ? 0 : weights[r, c]).Sum(), 1e-9);
    }, iter: 300);

    [Fact]
    public void Equal_clusters_keep_their_names_whatever_their_order()
    {
        var before = Members(("c0", "a b c"), ("c1", "d e"), ("c5", "f g"));
        var (names, next) = MbcNames.Match(before, [["f", "g"], ["a", "b", "c"], ["d", "e"]], 6);
        Assert.Equal(["c5", "c0", "c1"], names);
        Assert.Equal(6, next);
        Assert.Empty(MbcNames.Moves(before, before));
    }

    [Fact]
    public void A_new_cluster_gets_a_number_that_was_never_used()
    {
        var before = Members(("c0", "a b c d"), ("c3", "e f"));
        var (names, next) = MbcNames.Match(before, [["a", "b", "c"], ["d", "x"], ["y", "z"], ["e", "f"]], 7);
        Assert.Equal(["c0", "c7", "c8", "c3"], names);
        Assert.Equal(9, next);
    }

    [Fact]
    public void Names_go_where_most_adapters_stay_in_all()
    {
        // Greedily c0 would go to the first cluster (3 in common), and c1 to nobody; in all 2 + 3 is more than 3 + 0.
        var before = Members(("c0", "a b c d e"), ("c1", "f g h"));
        var (names, _) = MbcNames.Match(before, [["a", "b", "c", "f", "g", "h"], ["d", "e"]], 2);
        Assert.Equal(["c1", "c0"], names);
    }

    [Fact]
    public void Moves_say_why()
    {
        var before = Members(("c0", "a b c d"), ("c1", "e f g"), ("c2", "h i"));
        var after = Members(("c0", "a b g e"), ("c3", "c d"), ("c1", "f x h i"));
        after = [.. after.Select(m => m.Adapter == "e" ? m with { Version = "2" } : m)];
        var moves = MbcNames.Moves([.. before, new("k", "1", "c2")], after).ToDictionary(m => m.Adapter, m => (m.From, m.To, m.Reason));
        Assert.Equal(("c1", "c0", MoveReason.NewVersion), moves["e"]);
        Assert.Equal(("c1", "c0", MoveReason.Nearer), moves["g"]);
        Assert.Equal(("c0", "c3", MoveReason.Split), moves["c"]);
        Assert.Equal(("c2", "c1", MoveReason.Merged), moves["h"]);
        Assert.Equal((null, "c1", MoveReason.Joined), moves["x"]);
        Assert.Equal(("c2", null, MoveReason.Left), moves["k"]);
        Assert.Equal(["c", "d", "e", "g", "h", "i", "k", "x"], moves.Keys.Order());
    }

    [Fact]
    public void Names_stay_while_a_library_grows_and_shrinks() => Gen.Int[0, 10_000].Sample(seed =>
    {
        var random = new Random(seed);
        var sketches = MbcEmbeddingTests.Planted(90, 4, 24, 0.3, seed, out var planted);
        var present = Enumerable.Range(0, 90).Where(_ => random.Next(3) > 0).ToHashSet();
        IReadOnlyList<NamedMember> before = [];
        var (next, names) = (0, new Dictionary<int, string>());
        for (var step = 0; step < 4; step++)
        {
            int[] members = [.. present.Order()];
            var library = new Matrix(members.Length, 24, [.. members.SelectMany(m => sketches.Row(m).ToArray())]);
            var clustering = Mbc.Run(MbcEmbedding.OfSketches(library), 4);
            string[][] clusters = [.. clustering.Clusters.Select(c => c.Members.Select(m => $"{members[m]:D2}").ToArray())];
            (var matched, next) = MbcNames.Match(before, clusters, next);
            before = [.. clusters.SelectMany((c, i) => c.Select(a => new NamedMember(a, "1", matched[i])))];
            foreach (var member in before)
            {
                // Every planted group has one name for ever.
                var group = planted[int.Parse(member.Adapter, System.Globalization.CultureInfo.InvariantCulture)];
                Assert.Equal(names.TryGetValue(group, out var known) ? known : names[group] = member.Cluster, member.Cluster);
            }

            for (var change = 0; change < 5; change++)
            {
                var one = random.Next(90);
                if (!present.Add(one) && present.Count(p => planted[p] == planted[one]) > 8)
                    present.Remove(one);
            }
        }

        Assert.Equal(4, next);
    }, iter: 20);

    private static NamedMember[] Members(params (string Cluster, string Adapters)[] clusters) =>
        [.. clusters.SelectMany(c => c.Adapters.Split(' ').Select(a => new NamedMember(a, "1", c.Cluster)))];

    private static double Best(Matrix weights, int row, bool[] taken)
    {
        if (row == weights.Rows)
            return 0;
        var best = weights.Rows > weights.Columns ? Best(weights, row + 1, taken) : double.NegativeInfinity;
        // A row may be left out only where there are too few columns for all.
        if (weights.Rows > weights.Columns && taken.Count(t => !t) >= weights.Rows - row)
            best = double.NegativeInfinity;
        for (var column = 0; column < weights.Columns; column++)
        {
            if (taken[column])
                continue;
            taken[column] = true;
            best = Math.Max(best, weights[row, column] + Best(weights, row + 1, taken));
            taken[column] = false;
        }
        return best;
    }
}

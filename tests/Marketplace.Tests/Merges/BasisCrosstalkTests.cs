using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Algebra;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Orthogonal Adaptation: subspaces given to training, what comes of them in a merge, and the measure of interference.</summary>
public sealed class BasisCrosstalkTests
{
    [Theory]
    [InlineData(OrthogonalBasisKind.Dct, 1)]
    [InlineData(OrthogonalBasisKind.Dct, 7)]
    [InlineData(OrthogonalBasisKind.Dct, 48)]
    [InlineData(OrthogonalBasisKind.Hadamard, 1)]
    [InlineData(OrthogonalBasisKind.Hadamard, 64)]
    public void Bases_are_orthonormal(OrthogonalBasisKind kind, int size)
    {
        var basis = new OrthogonalBasis(kind, size, 42, "q");
        var vectors = new Matrix(size, size);
        for (var j = 0; j < size; j++)
            basis.Vector(j, vectors.Row(j));
        for (var i = 0; i < size; i++)
            for (var j = 0; j < size; j++)
                Assert.Equal(i == j ? 1 : 0, Dot(vectors.Row(i), vectors.Row(j)), 1e-14);
    }

    [Fact]
    public void A_report_tells_the_crosstalk_where_the_method_is_meant_for_none()
    {
        var random = new Random(5);
        LowRankDelta[] deltas = [.. Enumerable.Range(0, 3).Select(_ => Adapters.Random(random, 6, 9, 2))];
        Adapter[] inputs = [.. deltas.Select(d => Adapters.Of(("q", d))), Adapters.Of(("v", deltas[0]))];
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over("orthogonal_sum", 1, 1, 1, 1), inputs, out var plan, out _));
        var reports = Merging.Run(plan, inputs).Select(m => m.Report).ToList();
        double[] pairs = [Crosstalk.Of(deltas[0].A, deltas[1].A), Crosstalk.Of(deltas[0].A, deltas[2].A), Crosstalk.Of(deltas[1].A, deltas[2].A)];
        Assert.Equal(pairs.Max(), reports[0].Crosstalk!.Value, 1e-12);
        Assert.Null(reports[1].Crosstalk); // one adapter alone
        Assert.True(MergePlan.TryCreate(MergeRecipe.Over("linear", 1, 1, 1, 1), inputs, out plan, out _));
        Assert.All(Merging.Run(plan, inputs), m => Assert.Null(m.Report.Crosstalk));
    }

    [Fact]
    public void Two_vectors_of_a_large_basis_are_orthogonal_without_the_others()
    {
        foreach (var size in new[] { 14336, 16384 })
        {
            var a = new Subspace("q", size, OrthogonalBasis.KindFor(size), 7, [0, 1, size / 2, size - 2, size - 1]).LoraA();
            for (var i = 0; i < a.Rows; i++)
                for (var j = 0; j < a.Rows; j++)
                    Assert.Equal(i == j ? 1 : 0, Dot(a.Row(i), a.Row(j)), 1e-13);
        }
    }

    [Fact]
    public void Vectors_are_what_their_formula_says()
    {
        var signs = new Philox(5, "orthogonal basis q 6");
        double[] d = [.. Enumerable.Range(0, 6).Select(_ => (signs.NextUInt32() & 1) == 1 ? -1d : 1)];
        var a = new Subspace("q", 6, OrthogonalBasisKind.Dct, 5, [0, 4]).LoraA();
        for (var i = 0; i < 6; i++)
        {
            Assert.Equal(d[i] / Math.Sqrt(6), a[0, i], 1e-15);
            Assert.Equal(d[i] * Math.Sqrt(2 / 6d) * Math.Cos(Math.PI * ((2 * i) + 1) * 4 / 12), a[1, i], 1e-15);
        }

        var hadamard = new Subspace("q", 4, OrthogonalBasisKind.Hadamard, 5, [3]).LoraA();
        signs = new(5, "orthogonal basis q 4");
        foreach (var (i, entry) in new[] { 1, -1, -1, 1 }.Index())
            Assert.Equal(entry * ((signs.NextUInt32() & 1) == 1 ? -0.5 : 0.5), hadamard[0, i]);
    }

    [Fact]
    public void Bases_of_other_seeds_and_modules_differ()
    {
        var rows = new[] { (1UL, "q"), (2UL, "q"), (1UL, "k") }.Select(x => new Subspace(x.Item2, 64, OrthogonalBasisKind.Hadamard, x.Item1, [0]).LoraA().Values).ToList();
        Assert.Equal(3, rows.Select(r => string.Join(' ', r)).Distinct().Count());
        Assert.Throws<ArgumentException>(() => new OrthogonalBasis(OrthogonalBasisKind.Hadamard, 48, 1, "q"));
    }

    [Fact]
    public void Subspaces_are_disjoint_until_there_is_no_room_left() => Gen.Select(Gen.Int[1, 40], Gen.Int[1, 9], Gen.ULong).Sample((size, rank, seed) =>
    {
        var allocator = SubspaceAllocator.For("q", size, seed);
        Assert.Equal(size / rank, allocator.Capacity(rank));
        var given = new List<Subspace>();
        while (allocator.TryAllocate(rank, out var subspace, out var next))
        {
            given.Add(subspace);
            allocator = next;
        }

        Assert.Equal(size / rank, given.Count);
        Assert.True(allocator.Free < rank);
        Assert.Equal(0, allocator.Capacity(rank));
        Assert.Equal(given.Count * rank, given.SelectMany(s => s.Columns).Distinct().Count());
        Assert.All(given.SelectMany(s => s.Columns), c => Assert.InRange(c, 0, size - 1));
        for (var i = 1; i < given.Count; i++)
            Assert.InRange(Crosstalk.Of(given[0].LoraA(), given[i].LoraA()), 0, 1e-12);
    });

    [Fact]
    public void In_a_merge_each_adapter_answers_to_its_own_subspace_alone()
    {
        var random = new Random(4);
        var allocator = SubspaceAllocator.For("q", 24, 42);
        var deltas = new List<LowRankDelta>();
        while (deltas.Count < 5 && allocator.TryAllocate(4, out var subspace, out var next))
        {
            deltas.Add(new(Adapters.Fill(new Matrix(9, 4), random), subspace.LoraA()));
            allocator = next;
        }

        var merged = BasisMerge.Merge("orthogonal_sum lambda=1", [.. deltas]);
        foreach (var delta in deltas)
        {
            double[] x = new double[24];
            for (var k = 0; k < 4; k++)
                for (var i = 0; i < 24; i++)
                    x[i] += (k + 1) * delta.A[k, i];
            Dense.AssertClose(Dense.Apply(Dense.Of(delta), x), Dense.Apply(Dense.Of(merged), x), 1e-12);
        }

        BasisMerge.AssertSame(Dense.Sum((0.6, Dense.Of(merged))), BasisMerge.Merge("orthogonal_sum", [.. deltas]));
    }

    [Fact]
    public void Crosstalk_is_the_ratio_of_spectral_norms() => Cases.Terms.Sample(terms =>
    {
        Matrix x = terms[0].Delta.A, y = terms[1].Delta.A;
        double[,] a = Dense.Product(Identity(x.Rows), x), b = Dense.Product(Identity(y.Rows), y);
        var product = (BasisOracles.Of(a) * BasisOracles.Of(b).Transpose()).ToArray();
        var expected = Dense.SingularValues(product)[0] / Dense.SingularValues(a)[0] / Dense.SingularValues(b)[0];
        Assert.Equal(expected, Crosstalk.Of(x, y), 1e-10);
        Assert.Equal(1, Crosstalk.Of(x, x), 1e-12);
        Assert.Equal(0, Crosstalk.Of(x, new Matrix(2, x.Columns)));
    });

    [Fact]
    public void The_worst_pair_of_each_module_is_named()
    {
        Matrix A(params double[] row) => new(1, 3, row);
        LowRankDelta Of(Matrix a) => new(new(2, 1, [1, 1]), a);
        Adapter[] adapters =
        [
            Adapters.Of(("k", Of(A(1, 0, 0))), ("q", Of(A(1, 0, 0)))),
            Adapters.Of(("q", Of(A(0, 1, 0)))),
            Adapters.Of(("q", Of(A(0, 3, 4))), ("v", Of(A(0, 0, 1)))),
            Adapters.Of(("v", Of(A(0, 0, -2)))),
        ];
        var crosstalk = Crosstalk.Of(adapters);
        Assert.Equal(["q", "v"], crosstalk.Modules.Select(m => m.Module));
        Assert.Equal(new("q", 1, 2, 0.6), crosstalk.Modules[0] with { Value = Math.Round(crosstalk.Modules[0].Value, 12) });
        Assert.Equal(new("v", 2, 3, 1), crosstalk.Worst! with { Value = Math.Round(crosstalk.Worst!.Value, 12) });
        Assert.Null(Crosstalk.Of(adapters[..1]).Worst);
        Assert.Throws<ArgumentException>(() => Crosstalk.Of(A(1, 2, 3), new Matrix(1, 4)));
        Assert.Throws<NotFiniteNumberException>(() => Crosstalk.Of(A(1, double.NaN, 3), A(1, 2, 3)));
    }

    private static Matrix Identity(int n)
    {
        var identity = new Matrix(n, n);
        for (var i = 0; i < n; i++)
            identity[i, i] = 1;
        return identity;
    }

    private static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y) => System.Numerics.Tensors.TensorPrimitives.Dot(x, y);
}

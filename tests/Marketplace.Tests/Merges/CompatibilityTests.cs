using CsCheck;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Merges;

public sealed class CompatibilityTests
{
    private static readonly Gen<Adapter[]> Libraries =
        from seed in Gen.Int[0, 1_000_000]
        from count in Gen.Int[2, 5]
        from rows in Gen.Int[1, 9]
        from columns in Gen.Int[1, 9]
        select Library(new Random(seed), count, rows, columns);

    [Fact]
    public void Every_number_equals_the_dense_one() => Libraries.Sample(adapters =>
    {
        var report = Of(adapters);
        string[] modules = [.. adapters.SelectMany(a => a.Modules).Select(m => m.Name).Distinct().Order(StringComparer.Ordinal)];
        Assert.Equal(modules, report.Modules.Select(m => m.Name));
        Assert.Equal(adapters.Length * (adapters.Length - 1) / 2, report.Pairs.Length);
        foreach (var pair in report.Pairs)
        {
            var (first, second) = (adapters[pair.First], adapters[pair.Second]);
            var dense = modules.Select(m => (First: DenseOf(first, m, modules, adapters), Second: DenseOf(second, m, modules, adapters))).ToList();
            double one = Root(dense.Select(d => Dense.Norm(d.First))), two = Root(dense.Select(d => Dense.Norm(d.Second)));
            Assert.Equal(one, report.Adapters[pair.First].Norm, 1e-10 * (1 + one));
            Assert.Equal(dense.Sum(d => Dense.Inner(d.First, d.Second)) / (one * two), pair.Cosine, 1e-10);
            Assert.Equal(Root(dense.Select(d => Dense.Distance(d.First, d.Second))) / Math.Max(one, two), pair.RelativeDistance, 1e-10);
            var cosines = modules.Zip(dense).Where(m => first.Find(m.First) is not null && second.Find(m.First) is not null)
                .Select(m => Dense.Inner(m.Second.First, m.Second.Second) / (Dense.Norm(m.Second.First) * Dense.Norm(m.Second.Second))).Order().ToList();
            Assert.Equal(cosines.Count, pair.SharedModules);
            Assert.Equal(cosines.Count == 0, pair.Cosines is null);
            if (pair.Cosines is not { } spread)
                continue;
            Assert.Equal((cosines[0], cosines[^1]), (spread.Min, spread.Max), Close);
            Assert.Equal((cosines[(cosines.Count - 1) / 2] + cosines[cosines.Count / 2]) / 2, spread.Median, 1e-10);
            Assert.Equal(spread.Min, spread.Lowest[0].Value);
        }

        var sums = modules.Select(m => Dense.Sum([.. adapters.Select(a => (1.0 / adapters.Length, DenseOf(a, m, modules, adapters)))])).ToList();
        Assert.Equal(Root(sums.Select(Dense.Norm)), report.Sum.Norm, 1e-10 * (1 + report.Sum.Norm));
        var spectra = sums.ConvertAll(Dense.SingularValues);
        foreach (var kept in report.Sum.Kept)
            Assert.Equal(spectra.Sum(s => s.Take(kept.Rank).Sum(x => x * x)) / spectra.Sum(s => s.Sum(x => x * x)), kept.Energy, 1e-10);
        Assert.Equal(spectra.Max(s => s.Count(x => x > 1e-10 * s[0])), report.Sum.LargestRank);
    }, iter: 60);

    [Fact]
    public void It_does_not_see_how_a_change_is_factored_except_in_crosstalk()
    {
        var random = new Random(3);
        LowRankDelta one = Adapters.Random(random, 12, 10, 3), two = Adapters.Random(random, 12, 10, 4);
        var plain = Of(Adapters.Of(("q", one)), Adapters.Of(("q", two)));
        var other = Of(Adapters.Of(("q", Cases.Regauge(one, 1))), Adapters.Of(0.25, ("q", Adapters.Scale(two, 4))));
        Assert.Equal(plain.Pairs[0].Cosine, other.Pairs[0].Cosine, 1e-9);
        Assert.Equal(plain.Pairs[0].RelativeDistance, other.Pairs[0].RelativeDistance, 1e-9);
        Assert.Equal(plain.Pairs[0].Signs, other.Pairs[0].Signs);
        Assert.Equal(plain.Sum.Kept[0].Energy, other.Sum.Kept[0].Energy, 1e-9);
        Assert.NotEqual(plain.Pairs[0].Crosstalk!.Value, other.Pairs[0].Crosstalk!.Value, 1e-3);
    }

    [Fact]
    public void Crosstalk_is_the_largest_of_any_module_and_equals_the_dense_spectral_norms()
    {
        var random = new Random(4);
        string[] modules = ["a", "b", "c", "d"];
        var deltas = modules.Select(_ => (One: Adapters.Random(random, 6, 9, 2), Two: Adapters.Random(random, 6, 9, 3))).ToList();
        var pair = Of(Adapters.Of([.. modules.Zip(deltas, (m, d) => (m, d.One))]), Adapters.Of([.. modules.Zip(deltas, (m, d) => (m, d.Two))])).Pairs[0];
        var expected = deltas.ConvertAll(d => Spectral(Dense.Product(d.One.A, Transpose(d.Two.A))) / (Spectral(DenseOf(d.One.A)) * Spectral(DenseOf(d.Two.A))));
        Assert.Equal(expected.Max(), pair.Crosstalk!.Value, 1e-12);
        Assert.Equal(modules[expected.IndexOf(expected.Max())], pair.Crosstalk.Module);
    }

    [Fact]
    public void Adapters_that_read_orthogonal_inputs_have_no_crosstalk_and_those_that_read_the_same_have_all()
    {
        var b = Adapters.Random(new Random(5), 4, 6, 1).B;
        Adapter Reading(int column) => Adapters.Of(("q", new LowRankDelta(b, Unit(6, column))));
        Assert.Equal(0, Of(Reading(1), Reading(2)).Pairs[0].Crosstalk!.Value, 1e-14);
        Assert.Equal(1, Of(Reading(1), Reading(1)).Pairs[0].Crosstalk!.Value, 1e-14);
    }

    [Fact]
    public void Sign_agreement_is_within_its_error_of_what_all_entries_say()
    {
        var random = new Random(6);
        LowRankDelta one = Adapters.Random(random, 40, 30, 2), two = Adapters.Random(random, 40, 30, 2);
        var mixed = Deltas.WeightedSum([(1, one), (0.7, two)]);
        var signs = Of(Adapters.Of(("q", one)), Adapters.Of(("q", mixed))).Pairs[0].Signs!;
        double[,] x = Dense.Of(one), y = Dense.Of(mixed);
        var truth = x.Cast<double>().Zip(y.Cast<double>(), (p, q) => p * q > 0 ? 1.0 : 0).Average();
        Assert.Equal(1 << 14, signs.Samples);
        Assert.Equal(Math.Sqrt(truth * (1 - truth) / signs.Samples), signs.StandardError, 1e-4);
        Assert.InRange(signs.Agreement, truth - (4 * signs.StandardError), truth + (4 * signs.StandardError));
    }

    [Fact]
    public void Samples_are_shared_out_by_entries_and_a_seed_gives_the_same_ones()
    {
        var random = new Random(7);
        LowRankDelta wide = Adapters.Random(random, 30, 30, 2), narrow = Adapters.Random(random, 10, 10, 2);
        Adapter[] adapters = [Adapters.Of(("a", wide), ("b", narrow)), Adapters.Of(("b", narrow))];
        var signs = Of(adapters).Pairs[0].Signs!;
        Assert.InRange(signs.Samples, (1 << 14) / 10 - 1, (1 << 14) / 10 + 1);
        Assert.Equal(1, signs.Agreement);
        Assert.True(signs.StandardError > 0, "A sample is never certain.");
        Assert.Equal(signs, Of(adapters).Pairs[0].Signs);
    }

    [Fact]
    public void Copies_are_found_however_they_are_factored_and_near_copies_are_told_from_them()
    {
        var delta = Adapters.Random(new Random(8), 12, 10, 4);
        var noise = Adapters.Random(new Random(9), 12, 10, 4);
        Adapter Near(double size) => Adapters.Of(("q", Deltas.WeightedSum([(1, delta), (size * Deltas.Norm(delta) / Deltas.Norm(noise), noise)])));
        var report = Of(Adapters.Of(("q", delta)), Adapters.Of(("q", Cases.Regauge(delta, 1))), Near(1e-5), Near(1e-2));
        Assert.Equal(
            [Duplication.Exact, Duplication.Near, Duplication.None, Duplication.Near, Duplication.None, Duplication.None], report.Pairs.Select(p => p.Duplication));
        Assert.Equal([(0, 1)], Warned(report, CompatibilityWarnings.ExactDuplicate));
        Assert.Equal([(0, 2), (1, 2)], Warned(report, CompatibilityWarnings.NearDuplicate));
        Assert.Equal(1e-5, report.Pairs[1].RelativeDistance, 1e-9);
    }

    [Fact]
    public void One_that_is_much_larger_and_ones_that_are_opposed_are_warned_of()
    {
        var random = new Random(10);
        LowRankDelta one = Adapters.Random(random, 12, 10, 2), two = Adapters.Random(random, 12, 10, 2);
        var report = Of(Adapters.Of(("q", one)), Adapters.Of(("q", Adapters.Scale(one, -0.9))), Adapters.Of(("q", Adapters.Scale(two, 1000))));
        Assert.Contains("#2 is", Assert.Single(report.Warnings, w => w.Code == CompatibilityWarnings.NormsDiffer).Message, StringComparison.Ordinal);
        Assert.Equal([(0, 1)], Warned(report, CompatibilityWarnings.NearlyOpposed));
        Assert.Equal(-1, report.Pairs[0].Cosine, 1e-12);
        Assert.Empty(Of(Adapters.Of(("q", one)), Adapters.Of(("q", two))).Warnings.Where(w => w.Code != CompatibilityWarnings.RankLosesMuch));
    }

    [Fact]
    public void Missing_modules_are_named_with_those_who_lack_them()
    {
        var delta = Adapters.Random(new Random(11), 5, 5, 1);
        var report = Of(Adapters.Of(("q", delta), ("v", delta)), Adapters.Of(("q", delta)), Adapters.Of(("q", delta), ("w", delta)));
        Assert.Equal(1, report.Coverage.InAll);
        Assert.Equal(["v", "w"], report.Coverage.InSome.Select(m => m.Module));
        Assert.Equal([1, 2], report.Coverage.InSome[0].MissingIn);
        Assert.Equal([0, 1, 2], Assert.Single(report.Warnings, w => w.Code == CompatibilityWarnings.MissingModules).Adapters);
        Assert.Equal(CompatibilityWarnings.NothingShared, Of(Adapters.Of(("v", delta)), Adapters.Of(("w", delta))).Warnings[0].Code);
        Assert.Equal(Math.Sqrt(0.5), Of(Adapters.Of(("v", delta), ("w", delta)), Adapters.Of(("w", delta))).Pairs[0].Cosine, 1e-12);
    }

    [Fact]
    public void What_an_adapter_carries_and_what_a_merge_would_do_with_it_is_said()
    {
        var delta = Adapters.Random(new Random(12), 5, 5, 1);
        TargetModule plain = new("q", ModuleKind.Linear, 5, 5, 1, 1);
        var head = Adapters.Of([(plain, delta)], "base_model.model.score.weight", "base_model.model.score.bias");
        var dora = Adapters.Of([(plain with { HasMagnitude = true }, delta)], "base_model.model.q.lora_magnitude_vector");
        var report = Of(head, dora);
        Assert.Equal([new CarriedTensors("saved-module", 2, "base_model.model.score.bias", Refused: false)], report.Adapters[0].Carried);
        Assert.Equal(("dora-magnitude", true), (report.Adapters[1].Carried[0].Kind, report.Adapters[1].Carried[0].Refused));
        Assert.Equal([1], Assert.Single(report.Warnings, w => w.Refused).Adapters);
        Assert.Equal(MergeProblem.DoraNotMergeable, report.Warnings[0].Code);
        Assert.Equal([0], Assert.Single(report.Warnings, w => w.Code == CompatibilityWarnings.CarriedNotMerged).Adapters);
    }

    [Fact]
    public void A_trained_bias_is_told_from_that_of_a_saved_module()
    {
        var delta = Adapters.Random(new Random(12), 5, 5, 1);
        using var adapter = new Adapter(
            new AdapterConfig { Bias = TrainedBias.LoraOnly, ModulesToSave = ["score"] }, [new("q", ModuleKind.Linear, 5, 5, 1, 1)], _ => delta,
            ["base_model.model.q.bias", "base_model.model.score.bias", "base_model.model.embed.trainable_tokens_delta"]);
        Assert.Equal(["bias", "saved-module", "token-rows"], Of(adapter, adapter).Adapters[0].Carried.Select(c => c.Kind));
    }

    [Fact]
    public void Modules_of_different_shapes_are_left_out_and_said()
    {
        var random = new Random(13);
        var shared = Adapters.Random(random, 5, 5, 1);
        var report = Of(
            Adapters.Of(("q", shared), ("v", Adapters.Random(random, 5, 6, 1))), Adapters.Of(("q", shared), ("v", Adapters.Random(random, 6, 5, 1))));
        Assert.Equal("q", Assert.Single(report.Modules).Name);
        Assert.Equal(MergeProblem.ModuleShapeMismatch, report.Warnings[0].Code);
        Assert.Equal(1, report.Pairs[0].SharedModules);
    }

    [Fact]
    public void Adapters_that_change_nothing_have_numbers_too()
    {
        var delta = Adapters.Random(new Random(14), 5, 5, 2);
        Adapter zero = Adapters.Of(("q", Deltas.Zero(5, 5))), other = Adapters.Of(("q", delta));
        var report = Of(zero, zero, other);
        Assert.Equal([(0, 0, Duplication.Exact), (0, 1, Duplication.None), (0, 1, Duplication.None)], report.Pairs.Select(p => (p.Cosine, Math.Round(p.RelativeDistance, 12), p.Duplication)));
        Assert.All(report.Pairs, p => Assert.Null(p.Signs));
        Assert.All(report.Pairs, p => Assert.Equal(0, p.Crosstalk!.Value));
        Assert.Equal([0, 1], report.Warnings.Where(w => w.Code == CompatibilityWarnings.ChangesNothing).SelectMany(w => w.Adapters));
        var nothing = Of(zero, zero);
        Assert.Equal((0, 0, 0, 1), (nothing.Sum.Norm, nothing.Sum.NormRatio, nothing.Sum.LargestRank, nothing.Sum.Kept[0].Energy));
        Assert.DoesNotContain(nothing.Warnings, w => w.Code == CompatibilityWarnings.ExactDuplicate);
    }

    [Fact]
    public void The_sum_of_copies_needs_no_more_rank_than_one_and_keeps_its_size()
    {
        var delta = Adapters.Random(new Random(15), 20, 20, 3);
        var copies = Of([.. Enumerable.Range(0, 4).Select(i => Adapters.Of(("q", Cases.Regauge(delta, i))))]);
        Assert.Equal((3, 1.0), (copies.Sum.LargestRank, Math.Round(copies.Sum.NormRatio, 9)));
        Assert.Equal(1, copies.Sum.Kept[0].Energy, 1e-12);
        var random = new Random(16);
        var others = Of([.. Enumerable.Range(0, 4).Select(_ => Adapters.Of(("q", Adapters.Random(random, 20, 20, 3))))]);
        Assert.Equal(12, others.Sum.LargestRank);
        Assert.Contains(others.Warnings, w => w.Code == CompatibilityWarnings.RankLosesMuch);
        Assert.Equal([5], Of([Adapters.Of(("q", delta)), Adapters.Of(("q", delta))], 5).Sum.Kept.Select(k => k.Rank));
    }

    [Fact]
    public void One_adapter_or_too_many_are_refused_and_a_factor_that_is_not_finite_is_found()
    {
        var delta = Adapters.Random(new Random(17), 3, 3, 1);
        var one = Adapters.Of(("q", delta));
        Assert.Throws<ArgumentOutOfRangeException>(() => Of(one));
        Assert.Throws<ArgumentOutOfRangeException>(() => Of([.. Enumerable.Repeat(one, 33)]));
        Assert.Throws<NotFiniteNumberException>(() => Of(one, Adapters.Of(("q", Adapters.Scale(delta, double.NaN)))));
        Assert.Throws<OperationCanceledException>(() => CompatibilityReport.Of([one, one], ["a", "b"], cancellation: new CancellationToken(true)));
    }

    [Fact]
    public void The_sample_library_holds_no_duplicates_and_shares_all_modules()
    {
        using var adapters = new Disposables<Adapter>(
            Directory.GetDirectories(Path.Combine(Fixtures.Repository, "samples", "library")).Order(StringComparer.Ordinal).Select(AdapterReader.Open));
        var report = Of([.. adapters]);
        Assert.Empty(report.Coverage.InSome);
        Assert.DoesNotContain(report.Pairs, p => p.Duplication != Duplication.None);
        Assert.DoesNotContain(report.Warnings, w => w.Refused);
        Assert.All(report.Pairs, p => Assert.Equal(1 << 14, p.Signs!.Samples));
        Assert.True(report.Sum.LargestRank > report.Adapters.Max(a => a.LargestRank));
    }

    [Fact]
    public void Checkpoints_of_one_real_training_are_alike_and_those_of_another_are_not()
    {
        string[] names = ["laziestcactus__gptlora__ck1000", "laziestcactus__gptlora__ck1500", "laziestcactus__gptlora__ck6000", "anirudh-ak__peft-gpt2__model-lora-model"];
        using var adapters = new Disposables<Adapter>(names.Select(n => AdapterReader.Open(Path.Combine(WildAdapters.Folder(), n))));
        var report = Of([.. adapters]);
        Assert.True(report.Pairs[0].Cosine > report.Pairs[1].Cosine && report.Pairs[1].Cosine > report.Pairs[2].Cosine, string.Join(' ', report.Pairs.Select(p => p.Cosine)));
        Assert.All(report.Pairs, p => Assert.Equal(Duplication.None, p.Duplication));
    }

    private static CompatibilityReport Of(params Adapter[] adapters) => Of(adapters, null);

    private static CompatibilityReport Of(Adapter[] adapters, int? rank) =>
        CompatibilityReport.Of(adapters, [.. adapters.Select((_, i) => $"#{i}")], rank);

    private static Adapter Library(Random random, int count, int rows, int columns, int index) => Adapters.Of(
    [
        .. new[] { "a", "b", "c" }.Where((_, m) => m == 0 || (index + m) % count != 0)
            .Select((name, _) => (name, Adapters.Random(random, rows + (name == "b" ? 1 : 0), columns, random.Next(1, 4)))),
    ]);

    private static Adapter[] Library(Random random, int count, int rows, int columns) =>
        [.. Enumerable.Range(0, count).Select(i => Library(random, count, rows, columns, i))];

    private static double[,] DenseOf(Adapter adapter, string module, string[] modules, Adapter[] all)
    {
        Assert.Contains(module, modules);
        if (adapter.Delta(module) is { } delta)
            return Dense.Of(delta);
        var shape = all.First(a => a.Find(module) is not null).Find(module)!;
        return new double[shape.Out, shape.In];
    }

    private static IEnumerable<(int, int)> Warned(CompatibilityReport report, string code) =>
        report.Warnings.Where(w => w.Code == code).Select(w => (w.Adapters[0], w.Adapters[1]));

    private static double Root(IEnumerable<double> norms) => Math.Sqrt(norms.Sum(n => n * n));

    private static bool Close((double, double) x, (double, double) y) => Math.Abs(x.Item1 - y.Item1) < 1e-10 && Math.Abs(x.Item2 - y.Item2) < 1e-10;

    private static double Spectral(double[,] matrix) => Dense.SingularValues(matrix)[0];

    private static double[,] DenseOf(Matrix a) => Dense.Product(Identity(a.Rows), a);

    private static Matrix Identity(int n)
    {
        var identity = new Matrix(n, n);
        for (var i = 0; i < n; i++)
            identity[i, i] = 1;
        return identity;
    }

    private static Matrix Transpose(Matrix a)
    {
        var result = new Matrix(a.Columns, a.Rows);
        for (var i = 0; i < a.Rows; i++)
            for (var j = 0; j < a.Columns; j++)
                result[j, i] = a[i, j];
        return result;
    }

    private static Matrix Unit(int columns, int column)
    {
        var row = new Matrix(1, columns);
        row[0, column] = 1;
        return row;
    }

    private sealed class Disposables<T>(IEnumerable<T> items) : List<T>(items), IDisposable
        where T : IDisposable
    {
        public void Dispose() => ForEach(i => i.Dispose());
    }
}

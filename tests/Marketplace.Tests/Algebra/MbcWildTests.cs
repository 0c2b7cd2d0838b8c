using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Algebra;

/// <summary>Adapters that strangers published: families found again, copies together, what can't be compared named.</summary>
public sealed class MbcWildTests
{
    [Theory]
    [InlineData("gpt2", "laziestcactus__gptlora__", 2)]
    public void A_family_is_recovered_from_sketches_as_from_weights(string baseModel, string family, int k)
    {
        var (names, adapters) = Library(baseModel);
        var sketches = adapters.ConvertAll(a => (AdapterSketch?)AdapterSketch.Of(a));
        var selection = MbcSelection.Of(sketches, AdapterSimilarity.Delta).WithoutContradictions(i => sketches[i]!.Shape, shape => adapters[sketches.FindIndex(s => s!.Shape == shape)].Modules);
        Assert.Empty(selection.Excluded);
        Assert.Empty(selection.Zero);
        var planted = names.ConvertAll(n => n.StartsWith(family, StringComparison.Ordinal));
        Assert.True(planted.Count(p => p) >= 10 && planted.Contains(false));

        Assert.True(Similarities.TryCompute(adapters, AdapterSimilarity.Delta, out var cosines, out _));
        var exact = Mbc.Run(cosines, k).Labels;
        var sketched = Mbc.Run(MbcEmbedding.OfSketches(selection.Sketches(sketches, AdapterSimilarity.Delta), 128), k).Labels;
        Assert.Equal(exact, sketched);
        Assert.Equal(planted.Select(p => p == planted[0]), exact.Select(l => l == exact[0]));
    }

    [Fact]
    public void Untrained_adapters_are_in_a_bucket_and_one_of_nothing_but_nan_is_left_out()
    {
        List<string> all = [.. Directory.GetDirectories(WildAdapters.Folder()).Select(d => Path.GetFileName(d)!).Where(n => n[0] != '_').Order(StringComparer.Ordinal)];
        var sketches = new List<AdapterSketch?>();
        var opened = new List<string>();
        foreach (var name in all)
        {
            try
            {
                using var adapter = AdapterReader.Open(Path.Combine(WildAdapters.Folder(), name));
                opened.Add(name);
                sketches.Add(AdapterSketch.Of(adapter));
            }
            catch (NotFiniteNumberException)
            {
                sketches.Add(null);
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                // What is no LoRA is refused at the door; here it is not even opened.
            }
        }

        Assert.Equal(opened.Count, sketches.Count);
        var selection = MbcSelection.Of(sketches, AdapterSimilarity.Delta);
        var catalogue = File.ReadAllLines(Path.Combine(WildAdapters.Folder(), "CATALOGUE.tsv")).Skip(1).Select(l => l.Split('\t')).ToDictionary(c => c[0], c => c[9]);
        string[] Quirk(string words) => [.. opened.Where(n => catalogue[n].Contains(words, StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)];
        Assert.NotEmpty(Quirk("all lora_B zero"));
        Assert.Equal(Quirk("all lora_B zero"), selection.Zero.Select(i => opened[i]));
        Assert.NotEmpty(Quirk("non-finite values"));
        Assert.Equal(Quirk("non-finite values"), selection.Excluded.Select(e => opened[e.Index]));
        Assert.All(selection.Excluded, e => Assert.Contains("NaN", e.Reason, StringComparison.Ordinal));
        Assert.Equal(opened.Count, selection.Compared.Length + selection.Zero.Length + selection.Excluded.Length);
    }

    [Fact]
    public void Adapters_whose_bases_have_other_sizes_are_told_apart_whatever_they_say()
    {
        var random = new Random(5);
        Adapter[] adapters =
        [
            Adapters.Of(("q", Adapters.Random(random, 4, 5, 2))), Adapters.Of(("q", Adapters.Random(random, 6, 5, 2))),
            Adapters.Of(("q", Adapters.Random(random, 6, 5, 3)), ("v", Adapters.Random(random, 4, 4, 1))), Adapters.Of(("q", Adapters.Random(random, 6, 5, 2))),
        ];
        var sketches = Array.ConvertAll(adapters, a => (AdapterSketch?)AdapterSketch.Of(a));
        var selection = MbcSelection.Of(sketches, AdapterSimilarity.Delta).WithoutContradictions(i => sketches[i]!.Shape, s => adapters[Array.FindIndex(sketches, k => k!.Shape == s)].Modules);
        Assert.Equal([1, 2, 3], selection.Compared); // most have 6×5
        Assert.Equal((0, "q is Linear of shape 4×5 here and Linear of 6×5 in most of the library."), (Assert.Single(selection.Excluded).Index, selection.Excluded[0].Reason));
        // Factors are compared entry by entry only where ranks are equal too.
        var flat = MbcSelection.Of(sketches, AdapterSimilarity.FlatAb);
        Assert.Equal([1, 3], flat.Compared);
        Assert.Equal([0, 2], flat.Excluded.Select(e => e.Index));
        Assert.Equal([1], flat.Without(new Dictionary<int, string> { [3] = "because" }).Compared);
    }

    private static (List<string> Names, List<Adapter> Adapters) Library(string baseModel)
    {
        List<string> names = [.. File.ReadAllLines(Path.Combine(WildAdapters.Folder(), "CATALOGUE.tsv")).Skip(1).Select(l => l.Split('\t'))
            .Where(c => c[1] == baseModel && Directory.Exists(Path.Combine(WildAdapters.Folder(), c[0])) && !c[10].Contains("reject", StringComparison.Ordinal)).Select(c => c[0]).Order(StringComparer.Ordinal)];
        return (names, names.ConvertAll(n => AdapterReader.Open(Path.Combine(WildAdapters.Folder(), n))));
    }
}

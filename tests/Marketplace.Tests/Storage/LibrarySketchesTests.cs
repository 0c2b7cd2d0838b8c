using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Formats;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Storage;

/// <summary>Sketches, statistics and prototypes of stored adapters: computed lazily, kept, packed.</summary>
public sealed class LibrarySketchesTests(AzuriteFixture azurite) : StorageTest(azurite)
{
    private const string Base = "org/base";

    [Fact]
    public async Task What_another_version_computed_is_not_looked_at_and_computed_anew_once()
    {
        var (config, weights) = await StoreAsync(1);
        foreach (var name in new[] { AdapterAnalysis.StatisticsFile, AdapterAnalysis.PrototypesFile, AdapterAnalysis.SketchFile })
        {
            await Storage.Derived.PutAsync(weights, "1", name, "old"u8.ToArray(), Ct);
            await Storage.Derived.PutAsync(weights, "1", $"{config.Hex}/{name}", "old"u8.ToArray(), Ct);
        }

        using (var analyses = Analyses(Storage))
        {
            var statistics = await analyses.LoadStatisticsAsync(config, weights, Ct);
            Assert.Equal((AdapterAnalysis.Version, 4), (statistics!.Version, statistics.Modules.Length));
        }

        // Now all three are stored: without the bytes they are still there.
        using var adapter = AdapterReader.Open(PathOf($"{config}"), PathOf($"{weights}"));
        var expected = AdapterAnalysis.Compute(adapter);
        using var cold = Analyses(SecondProcess(), "empty");
        await DeleteContentAsync(config, weights);
        Assert.Equal(expected[1].Bytes, await cold.LoadPrototypesAsync(config, weights, Ct));
        Assert.Equal(AdapterSketch.Of(adapter).Delta, (await cold.LoadSketchAsync(config, weights, Ct))!.Delta);
        Assert.Equal(AdapterAnalysis.Version, (await cold.LoadStatisticsAsync(config, weights, Ct))!.Version);
        Assert.Equal("old", (await Storage.Derived.ReadAsync(weights, "1", AdapterAnalysis.SketchFile, Ct))!.ToString());
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("garbage")]
    public async Task A_broken_result_is_computed_again(string broken)
    {
        var (config, weights) = await StoreAsync(1);
        using var analyses = Analyses(Storage);
        var first = await analyses.LoadSketchAsync(config, weights, Ct);
        foreach (var name in new[] { AdapterAnalysis.StatisticsFile, AdapterAnalysis.PrototypesFile, AdapterAnalysis.SketchFile })
            await Storage.Derived.PutAsync(weights, AdapterAnalysis.Version, $"{config.Hex}/{name}", System.Text.Encoding.UTF8.GetBytes(broken), Ct);
        Assert.Equal(first!.Delta, (await analyses.LoadSketchAsync(config, weights, Ct))!.Delta);
        Assert.NotEqual(broken, (await Storage.Derived.ReadAsync(weights, AdapterAnalysis.Version, $"{config.Hex}/{AdapterAnalysis.SketchFile}", Ct))!.ToString());
        Assert.NotNull(await analyses.LoadStatisticsAsync(config, weights, Ct));
        Assert.NotNull(await analyses.LoadPrototypesAsync(config, weights, Ct));
    }

    [Fact]
    public async Task One_file_of_weights_under_two_configurations_has_two_analyses()
    {
        var (config, weights) = await StoreAsync(1);
        var other = await PutAsync(System.Text.Encoding.UTF8.GetBytes(System.Text.Encoding.UTF8.GetString(StackAdapters.Config(Base)).Replace("\"lora_alpha\":4", "\"lora_alpha\":12", StringComparison.Ordinal)));
        using var analyses = Analyses(Storage);
        var (one, three) = (await analyses.LoadSketchAsync(config, weights, Ct), await analyses.LoadSketchAsync(other, weights, Ct));
        Assert.Equal(3 * one!.Norm, three!.Norm, 1e-12);
        Assert.Equal(one.Norm, (await analyses.LoadStatisticsAsync(config, weights, Ct))!.Norm, 1e-12);
    }

    [Fact]
    public async Task Adapters_whose_bytes_are_gone_have_none()
    {
        var (config, weights) = (Digest.Of("no config"u8), Digest.Of("no weights"u8));
        using var analyses = Analyses(Storage);
        Assert.Null(await analyses.LoadStatisticsAsync(config, weights, Ct));
        Assert.Null(await analyses.LoadPrototypesAsync(config, weights, Ct));
        Assert.Equal([null], await Sketches(Storage, analyses).LoadAsync([(config, weights)], Ct));
    }

    [Fact]
    public async Task A_cold_process_reads_the_pack_and_nothing_else()
    {
        var library = await StoreManyAsync(40);
        using var analyses = Analyses(Storage);
        var first = await Sketches(Storage, analyses).LoadAsync(Base, library, Ct);
        Assert.All(first, Assert.NotNull);
        Assert.Equal(40, (await PackAsync())!.Count);

        // Neither derived results nor bytes are left: only the pack can answer.
        foreach (var (config, weights) in library)
        {
            await DeleteContentAsync(config, weights);
            foreach (var name in new[] { AdapterAnalysis.StatisticsFile, AdapterAnalysis.PrototypesFile, AdapterAnalysis.SketchFile })
                await Storage.Derived.PutAsync(weights, AdapterAnalysis.Version, $"{config.Hex}/{name}", "gone"u8.ToArray(), Ct);
        }

        using var none = Analyses(SecondProcess(), "empty");
        var second = await Sketches(SecondProcess(), none).LoadAsync("ORG/Base", library, Ct);
        Assert.Equal(first.Select(s => s!.Delta.AsEnumerable()), second.Select(s => s!.Delta.AsEnumerable()));
        Assert.Equal(first.Select(s => (s!.Norm, s.FlatNorm, s.Shape)), second.Select(s => (s!.Norm, s.FlatNorm, s.Shape)));
        Assert.Equal(first.Select(s => s!.FlatAb.AsEnumerable()), second.Select(s => s!.FlatAb.AsEnumerable()));
    }

    [Fact]
    public async Task Without_the_base_models_name_the_first_configuration_tells_the_pack()
    {
        var library = await StoreManyAsync(40);
        using var analyses = Analyses(Storage);
        await Sketches(Storage, analyses).LoadAsync(library, Ct);
        Assert.Equal(40, (await PackAsync())!.Count);
    }

    [Fact]
    public async Task A_corrupted_or_stale_pack_does_no_harm_and_is_replaced()
    {
        var library = await StoreManyAsync(40);
        using var analyses = Analyses(Storage);
        var expected = await Sketches(Storage, analyses).LoadAsync(Base, library, Ct);
        var (good, _) = await Storage.SketchPacks.ReadAsync(Base, Ct);
        foreach (var bad in Broken(good.ToArray()))
        {
            var (_, etag) = await Storage.SketchPacks.ReadAsync(Base, Ct);
            Assert.True(await Storage.SketchPacks.TryWriteAsync(Base, bad, etag, Ct));
            var loaded = await Sketches(SecondProcess(), analyses).LoadAsync(Base, library, Ct);
            Assert.Equal(expected.Select(s => s!.Delta.AsEnumerable()), loaded.Select(s => s!.Delta.AsEnumerable()));
            Assert.Equal(40, (await PackAsync())!.Count(e => library.Contains((e.Key.Config, e.Key.Weights))));
        }

        static IEnumerable<byte[]> Broken(byte[] good)
        {
            yield return [];
            yield return good[..^1];
            yield return good[..40];
            foreach (var at in new[] { 0, 9, 13, 20, 5000, good.Length - 1 })
            {
                var flipped = good.ToArray();
                flipped[at] ^= 1;
                yield return flipped;
            }

            yield return SketchPack.Write(new Dictionary<SketchKey, AdapterSketch>()); // of a library that has grown since
            var strangers = SketchPack.Read(good)!.ToDictionary(e => e.Key with { Config = Digest.Of(e.Value.Shape.Select(c => (byte)c).ToArray()) }, e => e.Value);
            yield return SketchPack.Write(strangers);
        }
    }

    [Fact]
    public async Task Of_two_writers_one_wins_and_both_have_their_sketches()
    {
        var library = await StoreManyAsync(80);
        using var analyses = Analyses(Storage);
        var loads = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Sketches(SecondProcess(), analyses).LoadAsync(Base, [.. library.Skip(10 * i).Take(50)], Ct)));
        Assert.All(loads, l => Assert.All(l, Assert.NotNull));
        var pack = await PackAsync();
        Assert.InRange(pack!.Count, 50, 80);

        // A writer that has read an older pack changes nothing.
        var (bytes, etag) = await Storage.SketchPacks.ReadAsync(Base, Ct);
        Assert.True(await Storage.SketchPacks.TryWriteAsync(Base, bytes, etag, Ct));
        Assert.False(await Storage.SketchPacks.TryWriteAsync(Base, "late"u8.ToArray(), etag, Ct));
        Assert.False(await Storage.SketchPacks.TryWriteAsync(Base, "first?"u8.ToArray(), null, Ct));
        Assert.Equal(pack.Count, (await PackAsync())!.Count);
    }

    [Fact]
    public async Task A_few_arrivals_do_not_rewrite_the_pack_and_many_do()
    {
        var library = await StoreManyAsync(120);
        using var analyses = Analyses(Storage);
        await Sketches(Storage, analyses).LoadAsync(Base, [.. library.Take(60)], Ct);
        await Sketches(SecondProcess(), analyses).LoadAsync(Base, [.. library.Take(80)], Ct);
        Assert.Equal(60, (await PackAsync())!.Count);
        await Sketches(SecondProcess(), analyses).LoadAsync(Base, library, Ct);
        Assert.Equal(120, (await PackAsync())!.Count);

        // Who sees half of the library does not throw the other half out.
        await Sketches(SecondProcess(), analyses).LoadAsync(Base, [.. library.Take(50)], Ct);
        Assert.Equal(120, (await PackAsync())!.Count);
    }

    [Fact]
    public void The_cache_keeps_what_is_used_within_its_bound()
    {
        var sketch = new AdapterSketch([.. new float[AdapterSketch.Size]], 0, [], 0, new string('0', 32));
        var cache = new SketchCache(20L * SketchPack.EntryBytes);
        SketchKey Key(int i) => new(Digest.Of([(byte)i]), Digest.Of([(byte)(i >> 8), 1]));
        for (var i = 0; i < 200; i++)
        {
            cache.Add(Key(i), sketch);
            Assert.NotNull(cache.Find(Key(0)));
            Assert.InRange(cache.Count, 1, 20);
        }

        Assert.NotNull(cache.Find(Key(199)));
        Assert.Null(cache.Find(Key(100)));
    }

    private async Task<List<(Digest, Digest)>> StoreManyAsync(int count)
    {
        var library = new List<(Digest, Digest)>();
        for (var i = 0; i < count; i++)
            library.Add(await StoreAsync(1000 + i));
        return library;
    }

    private async Task<(Digest Config, Digest Weights)> StoreAsync(int seed)
    {
        var files = StackAdapters.Files(seed, Base);
        return (await PutAsync(files["adapter_config.json"]), await PutAsync(files["adapter_model.safetensors"]));
    }

    private async Task<Digest> PutAsync(byte[] bytes)
    {
        var digest = Digest.Of(bytes);
        await Storage.Content.PutAsync(digest, Write($"{digest}", bytes), Ct);
        return digest;
    }

    private async Task DeleteContentAsync(params Digest[] digests)
    {
        await foreach (var content in Storage.Content.ListOldAsync(DateTimeOffset.MaxValue, Ct))
        {
            if (digests.Contains(content.Digest))
                await Storage.Content.DeleteAsync(content, Ct);
        }
    }

    private async Task<Dictionary<SketchKey, AdapterSketch>?> PackAsync() => SketchPack.Read((await Storage.SketchPacks.ReadAsync(Base, Ct)).Bytes.Span);

    private ContentCache Cache(MarketplaceStorage storage, string folder = "content") => new(storage.Content, PathOf(folder), 1 << 30);

    private AdapterAnalyses Analyses(MarketplaceStorage storage, string folder = "content") => new(storage, Cache(storage, folder));

    private LibrarySketches Sketches(MarketplaceStorage storage, AdapterAnalyses analyses) => new(storage, Cache(storage), analyses);
}

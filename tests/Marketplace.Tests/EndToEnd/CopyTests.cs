using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Analysis;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>Neighbours, copies and novelty over HTTP: re-gauged, rescaled and padded copies are found by whoever may know of the original, and by nobody else.</summary>
public sealed class CopyTests(CopyTests.Fixture fixture) : IClassFixture<CopyTests.Fixture>
{
    private const string Base = "org/copies";
    private const int Rank = 3;

    private static readonly string[] Modules = ["layers.0.self_attn.q_proj", "layers.0.self_attn.v_proj", "layers.1.self_attn.q_proj", "layers.1.self_attn.v_proj"];

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings
    {
        Environment = new Dictionary<string, string> { ["Marketplace__MaxExactLibrary"] = "2" },
    })
    {
        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            var ann = await Stack.AccountAsync("ann");
            await ann.PublishedAsync("ann/original", Files(Deltas(1)));
            await ann.PublishedAsync("ann/unrelated", Files(Deltas(2)));
            await ann.PublishedAsync("ann/zero", Files([.. Deltas(3).Select(d => d with { B = new Matrix(d.Out, d.Rank) })]));
            await ann.PublishedAsync("ann/hidden", Files(Deltas(4)), isPrivate: true);
        }
    }

    [Theory]
    [InlineData("regauged", "ann/original@1", "in other factors")]
    [InlineData("padded", "ann/original@1", "at rank 5 instead of 3")]
    [InlineData("scaled", "ann/original@1", "the same direction, scaled by 2")]
    [InlineData("rounded", "ann/original@1", "the same ΔW up to rounding")]
    [InlineData("close", "ann/original@1", "close to it")]
    public Task A_copy_of_what_is_public_is_told_to_its_publisher_and_to_nobody_else(string kind, string of, string how) => stack.RunAsync(async () =>
    {
        var eve = await stack.AccountAsync($"eve-{kind}"); // each sees no other's copy
        var status = await eve.PublishAsync($"eve-{kind}/copy", Copy(kind, Deltas(1)), isPrivate: true);
        var issue = Assert.Single(status.Issues!, i => i.Code == "near-duplicate");
        Assert.Equal(("published", "warning"), (status.State, issue.Severity));
        Assert.Contains($" of {of} by the cosine of ΔW: ", issue.Message, StringComparison.Ordinal);
        Assert.Contains(how, issue.Message, StringComparison.Ordinal);
        Assert.StartsWith(kind == "close" ? "This adapter is 0.99" : "This adapter is 1 of", issue.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("near-duplicate", (await eve.GetAsync<AdapterView>($"/adapters/eve-{kind}/copy")).Warnings);
        Assert.Contains("near-duplicate", (await eve.SendAsync(HttpMethod.Get, $"/adapters/eve-{kind}/copy/versions/main/report")).Body, StringComparison.Ordinal);
    });

    [Fact]
    public Task What_is_merely_related_is_no_copy() => stack.RunAsync(async () =>
    {
        var dan = await stack.AccountAsync("dan");
        var status = await dan.PublishAsync("dan/related", Copy("related", Deltas(1)), isPrivate: true);
        Assert.DoesNotContain(status.Issues!, i => i.Code is "near-duplicate" or "same-content");
        var novelty = await dan.GetAsync<NoveltyView>("/adapters/dan/related/novelty");
        Assert.Equal(("add", "ann/original"), (novelty.Verdict, novelty.Nearest!.Version.Adapter));
        Assert.InRange(novelty.Nearest.Cosine, 0.6, 0.85);
        Assert.Equal(1 - (novelty.Nearest.Cosine * novelty.Nearest.Cosine), novelty.Novelty, 0.1);
        Assert.Equal(1, novelty.SpannedBy);
    });

    [Fact]
    public Task A_private_original_is_told_to_its_owner_only_also_when_the_report_is_read_later() => stack.RunAsync(async () =>
    {
        var (ann, mallory) = (await stack.AccountAsync("ann"), await stack.AccountAsync("mallory"));
        var base2 = "org/private-copies"; // of its own, so that what others see does not depend on the order of tests
        await ann.PublishedAsync("ann/hidden-root", Files(Deltas(5), base2), isPrivate: true);
        var stranger = await mallory.PublishAsync("mallory/found-it", Copy("regauged", Deltas(5), base2));
        var fresh = await mallory.PublishAsync("mallory/fresh", Files(Deltas(6), base2));
        Assert.Equal(fresh.Issues!.Select(i => i.Code), stranger.Issues!.Select(i => i.Code));
        var own = await ann.PublishAsync("ann/made-public", Copy("padded", Deltas(5), base2));
        Assert.Contains("ann/hidden-root@1", Assert.Single(own.Issues!, i => i.Code == "near-duplicate").Message, StringComparison.Ordinal);

        foreach (var caller in new[] { mallory, stack.Anonymous, stack.Admin })
        {
            foreach (var adapter in new[] { "mallory/found-it", "ann/made-public" })
            {
                foreach (var route in new[] { "", "/versions/main", "/versions/main/report", "/versions/main/analysis", "/similar", "/similar?similarity=flatAb", "/novelty" })
                {
                    var answer = await caller.SendAsync(HttpMethod.Get, $"/adapters/{adapter}{route}");
                    Assert.Equal(200, answer.Status);
                    if (caller != stack.Admin)
                        Assert.DoesNotContain("hidden", answer.Body, StringComparison.OrdinalIgnoreCase);
                    if (caller != mallory)
                        Assert.DoesNotContain("near-duplicate", answer.Body, StringComparison.Ordinal);
                }
            }

            Assert.DoesNotContain("hidden", (await caller.SendAsync(HttpMethod.Get, $"/adapters?baseModel={base2}&owner=mallory")).Body, StringComparison.Ordinal);
        }

        // For a stranger the adapter that has a private original is as new as any: its neighbours are the other public ones.
        var novelty = await mallory.GetAsync<NoveltyView>("/adapters/mallory/fresh/novelty");
        Assert.Equal(2, novelty.Compared);
        Assert.Equal(3, (await ann.GetAsync<NoveltyView>("/adapters/mallory/fresh/novelty")).Compared);
        Assert.Equal("ann/hidden-root", (await ann.GetAsync<ListResponse<SimilarView>>("/adapters/mallory/found-it/similar?limit=2")).Items.MinBy(s => s.Version.Adapter == "ann/hidden-root" ? 0 : 1)!.Version.Adapter);
    });

    [Fact]
    public Task An_adapters_own_versions_are_no_duplicates_but_an_unchanged_change_is_noted() => stack.RunAsync(async () =>
    {
        var kim = await stack.AccountAsync("kim");
        await kim.PublishedAsync("kim/versions", Files(Deltas(7), "org/versions"), isPrivate: true);
        var again = await kim.PublishAsync("kim/versions", Copy("regauged64", Deltas(7), "org/versions"));
        Assert.Equal(2, again.Version!.Number);
        Assert.Equal(["unchanged-delta"], again.Issues!.Select(i => i.Code));
        Assert.Equal("ΔW is that of kim/versions@1.", again.Issues![0].Message);
        var changed = await kim.PublishAsync("kim/versions", Copy("close", Deltas(7), "org/versions"));
        Assert.Equal((3, 0), (changed.Version!.Number, changed.Issues!.Count));
    });

    [Fact]
    public Task Neighbours_are_exact_whatever_the_library_is_like() => stack.RunAsync(async () =>
    {
        const string Own = "org/neighbours";
        var ned = await stack.AccountAsync("ned");
        foreach (var kind in new[] { "regauged", "padded", "alpha", "close", "related" })
            await ned.PublishedAsync($"ned/{kind}", Copy(kind, Deltas(8), Own));
        await ned.PublishedAsync("ned/root", Files(Deltas(8), Own));
        await ned.PublishedAsync("ned/zero", Files([.. Deltas(3).Select(d => d with { B = new Matrix(d.Out, d.Rank) })], Own));
        await ned.PublishedAsync("ned/other-shape", Files([.. Enumerable.Range(0, 4).Select(i => Adapters.Random(new Random(i), 12, 12, Rank))], Own));

        var similar = (await stack.Anonymous.GetAsync<ListResponse<SimilarView>>("/adapters/ned/root/similar")).Items;
        Assert.Equal(["ned/alpha", "ned/padded", "ned/regauged", "ned/close", "ned/related"], similar.OrderByDescending(s => Math.Round(s.Cosine, 6)).ThenBy(s => s.Version.Adapter).Select(s => s.Version.Adapter));
        Assert.All(similar.Take(3), s => Assert.Equal(1, s.Cosine, 1e-10));
        Assert.Equal(1, similar.Single(s => s.Version.Adapter == "ned/alpha").RelativeDistance, 1e-6);
        Assert.Equal(0, similar.Single(s => s.Version.Adapter == "ned/padded").RelativeDistance, 1e-6);
        Assert.Equal(2, (await stack.Anonymous.GetAsync<ListResponse<SimilarView>>("/adapters/ned/root/similar?limit=2")).Items.Count);

        // Factors: another rank can't be compared, other factors of the same change are something else, another alpha is no difference.
        var flat = (await stack.Anonymous.GetAsync<ListResponse<SimilarView>>("/adapters/ned/root/similar?similarity=flatAb")).Items.ToDictionary(s => s.Version.Adapter, s => s.Cosine);
        Assert.Equal(["ned/alpha", "ned/close", "ned/regauged", "ned/related"], flat.Keys.Order());
        Assert.Equal(1, flat["ned/alpha"], 1e-9);
        Assert.True(flat["ned/regauged"] < 0.9);

        Assert.Empty((await stack.Anonymous.GetAsync<ListResponse<SimilarView>>("/adapters/ned/zero/similar")).Items);
        var none = await stack.Anonymous.GetAsync<NoveltyView>("/adapters/ned/zero/novelty");
        Assert.Equal(("none", null, 0d), (none.Verdict, none.Nearest, none.Novelty));
        var copy = await stack.Anonymous.GetAsync<NoveltyView>("/adapters/ned/root/novelty");
        Assert.Equal("reuse", copy.Verdict);
        Assert.Equal(1, copy.Nearest!.Cosine, 1e-9);
        Assert.InRange(copy.Novelty, 0, 1e-4);
        Assert.Equal(0.99, copy.Threshold);

        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters/ned/root/similar?similarity=Delta")).Problem(400, "invalid-request");
        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters/ned/root/similar?limit=101")).Problem(400, "invalid-request");
    });

    [Fact]
    public Task An_analysis_is_served_and_recomputed_where_only_another_version_of_it_is_stored() => stack.RunAsync(async () =>
    {
        var statistics = await stack.Anonymous.GetAsync<AdapterStatistics>("/adapters/ann/original/versions/1/analysis");
        Assert.Equal((AdapterAnalysis.Version, Modules.Length), (statistics.Version, statistics.Modules.Length));
        var delta = Adapters.Scale(Deltas(1)[0], 2);
        Assert.Equal(Dense.Norm(Dense.Of(delta)), statistics.Modules[0].Norm, 1e-5);
        Dense.AssertClose([.. Dense.SingularValues(Dense.Of(delta)).Take(Rank)], statistics.Modules[0].SingularValues, 1e-5);
        (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters/ann/original/versions/7/analysis")).Problem(404, "not-found");

        var version = (await stack.Storage.Versions.GetAsync(AdapterId.Parse("ann/unrelated"), 1, TestContext.Current.CancellationToken))!;
        await stack.Storage.Derived.PutAsync(version.Weights, AdapterAnalysis.Version, $"{version.Config.Hex}/{AdapterAnalysis.StatisticsFile}", """[{"old":1}]"""u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.Equal(Modules.Length, (await stack.Anonymous.GetAsync<AdapterStatistics>("/adapters/ann/unrelated/versions/main/analysis")).Modules.Length);
    });

    private static LowRankDelta[] Deltas(int seed)
    {
        var random = new Random(seed);
        return [.. Modules.Select(_ => Adapters.Random(random, 24, 20, Rank))];
    }

    private static Dictionary<string, byte[]> Copy(string kind, LowRankDelta[] deltas, string baseModel = Base) => kind switch
    {
        "regauged" => Files([.. deltas.Select((d, i) => Cases.Regauge(d, i))], baseModel),
        "regauged64" => Files([.. deltas.Select((d, i) => Cases.Regauge(Single(d), i))], baseModel, type: TensorType.F64),
        "padded" => Files([.. deltas.Select(d => Cases.Pad(d, 2))], baseModel, alpha: 10),
        "scaled" => Files([.. deltas.Select(d => Adapters.Scale(d, 2))], baseModel),
        "alpha" => Files(deltas, baseModel, alpha: 4 * Rank),
        "rounded" => Files(deltas, baseModel, type: TensorType.BF16),
        "close" => Files(Mixed(deltas, 0.1), baseModel),
        "related" => Files(Mixed(deltas, 1), baseModel),
        _ => throw new ArgumentException(kind, nameof(kind)),
    };

    // Values as the F32 file of the original has them.
    private static LowRankDelta Single(LowRankDelta delta) => new(
        new Matrix(delta.Out, delta.Rank, Array.ConvertAll(delta.B.Values, x => (double)(float)x)), new Matrix(delta.Rank, delta.In, Array.ConvertAll(delta.A.Values, x => (double)(float)x)));

    private static LowRankDelta[] Mixed(LowRankDelta[] deltas, double noise)
    {
        var random = new Random(99);
        return [.. deltas.Select(d => d with { B = new Matrix(d.Out, d.Rank, Array.ConvertAll(d.B.Values, x => x + (noise * Adapters.Normal(random)))) })];
    }

    private static Dictionary<string, byte[]> Files(LowRankDelta[] deltas, string baseModel = Base, int? alpha = null, TensorType type = TensorType.F32)
    {
        var tensors = deltas.Zip(Modules).SelectMany(p => new[]
        {
            TensorSource.FromMatrix($"base_model.model.model.{p.Second}.lora_A.weight", type, p.First.A),
            TensorSource.FromMatrix($"base_model.model.model.{p.Second}.lora_B.weight", type, p.First.B),
        });
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors, SafetensorsWriter.PyTorch);
        return new()
        {
            ["adapter_config.json"] = JsonSerializer.SerializeToUtf8Bytes(new
            {
                base_model_name_or_path = baseModel,
                peft_type = "LORA",
                r = deltas[0].Rank,
                lora_alpha = alpha ?? 2 * deltas[0].Rank,
                target_modules = new[] { "q_proj", "v_proj" },
            }),
            ["adapter_model.safetensors"] = stream.ToArray(),
        };
    }
}

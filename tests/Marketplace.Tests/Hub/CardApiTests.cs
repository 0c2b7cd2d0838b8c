using System.Text;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Tests.EndToEnd;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>What model cards say, over HTTP: found by it, shown, and written for what is derived, without what is private.</summary>
public sealed class CardApiTests(CardApiTests.Fixture fixture) : IClassFixture<CardApiTests.Fixture>
{
    private const string Base = StackAdapters.BaseModel;

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        internal StackApi Ann { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Ann = await Stack.AccountAsync("ann");
            await Ann.PublishedAsync("ann/sql", With(1, $"license: mit\nlanguage: [en, de]\ndatasets: org/spider\npipeline_tag: text-generation\ntags: [sql]\nbase_model: {Base}"));
            await Ann.PublishedAsync("ann/prose", With(2, "license: mit\nlanguage: en\ndatasets: [org/books]\npipeline_tag: text-generation"));
            await Ann.PublishedAsync("ann/hidden", With(3, "license: cc-by-nc-4.0\ndatasets: org/secret-set\nlanguage: eo"), isPrivate: true);
        }

        private static Dictionary<string, byte[]> With(int seed, string yaml)
        {
            var files = StackAdapters.Files(seed);
            files["README.md"] = Encoding.UTF8.GetBytes($"---\n{yaml}\n---\n# Card\n");
            return files;
        }
    }

    [Theory]
    [InlineData("tag=sql", "ann/sql")]
    [InlineData("tag=DE", "ann/sql")]
    [InlineData("tag=license:mit&tag=dataset:org/books", "ann/prose")]
    [InlineData("tag=en&tag=text-generation", "ann/prose ann/sql")]
    [InlineData("tag=base_model:adapter:marketplace/test-base&tag=peft&tag=sql", "ann/sql")]
    [InlineData("tag=dataset:org/secret-set", "")]
    [InlineData("tag=eo", "")]
    [InlineData("tag=en&tag=none", "")]
    public Task An_adapter_is_found_by_what_its_card_says(string query, string expected) => stack.RunAsync(async () =>
    {
        var found = await stack.Anonymous.GetAsync<ListResponse<AdapterView>>("/adapters?owner=ann&" + query);
        Assert.Equal(expected, string.Join(' ', found.Items.Select(a => a.Id).Where(id => !id.StartsWith("ann/made", StringComparison.Ordinal))));
    });

    [Fact]
    public Task Too_many_tags_are_refused() => stack.RunAsync(async () =>
        Assert.Contains("tag", (await stack.Anonymous.SendAsync(HttpMethod.Get, "/adapters?" + string.Join('&', Enumerable.Range(0, 17).Select(i => $"tag=t{i}")))).Problem(400, "invalid-request").Detail, StringComparison.Ordinal));

    [Fact]
    public Task What_a_card_says_is_shown() => stack.RunAsync(async () =>
    {
        var adapter = await stack.Anonymous.GetAsync<AdapterView>("/adapters/ann/sql");
        Assert.Equal("mit text-generation en,de org/spider", $"{adapter.License} {adapter.PipelineTag} {string.Join(',', adapter.Languages!)} {string.Join(',', adapter.Datasets!)}");
        var serving = (await stack.Anonymous.GetAsync<VersionView>("/adapters/ann/sql/versions/main")).Serving!;
        Assert.Equal(8, serving.MaxLoraRank);
        Assert.Empty(serving.Vllm);
        Assert.Equal("rank-padded", Assert.Single(serving.Lorax).Code);
    });

    [Fact]
    public Task What_is_derived_gets_a_card_that_names_what_everybody_sees() => stack.RunAsync(async () =>
    {
        var open = await MadeAsync("ann/made-open", new SubtractionRequest("ann/sql", [new("ann/prose")], new OutputRequest("ann/made-open")));
        var text = await CardAsync(open);
        var card = ModelCard.Parse(text);
        Assert.Equal(("mit", "text-generation"), (card.License, card.PipelineTag));
        Assert.Equal(["org/books", "org/spider"], card.Datasets);
        Assert.Equal(["lora", "subtraction", "genknowsub"], card.Tags);
        Assert.Contains("| `ann/sql` | 1 |", text, StringComparison.Ordinal);
        Assert.Contains("```json", text, StringComparison.Ordinal);
        Assert.Contains((await stack.Anonymous.GetAsync<ListResponse<AdapterView>>("/adapters?tag=method:genknowsub&tag=dataset:org/books")).Items, a => a.Id == "ann/made-open");
        var view = await stack.Anonymous.GetAsync<VersionView>("/adapters/ann/made-open/versions/main");
        Assert.Empty(view.Serving!.Vllm);
        Assert.Empty(view.Serving.Lorax);

        // The same request under another name gives the same bytes, and another name's card says nothing of the first.
        var twin = await MadeAsync("ann/made-twin", new SubtractionRequest("ann/sql", [new("ann/prose")], new OutputRequest("ann/made-twin")));
        Assert.Equal(open.Id, twin.Id);

        // Also for a private result: who sees it may change, its bytes do not.
        foreach (var isPrivate in new[] { false, true })
        {
            var name = $"ann/made-mixed-{isPrivate}".ToLowerInvariant();
            text = await CardAsync(await MadeAsync(name, new SubtractionRequest("ann/sql", [new("ann/hidden")], new OutputRequest(name, isPrivate))));
            Assert.Contains("`ann/sql`", text, StringComparison.Ordinal);
            Assert.Contains("others that are not public", text, StringComparison.Ordinal);
            Assert.Equal((null, "en de"), (ModelCard.Parse(text).License, string.Join(' ', ModelCard.Parse(text).Languages.Order(StringComparer.Ordinal).Reverse())));
            foreach (var secret in new[] { "hidden", "secret-set", "cc-by-nc", "\"inputs\"" })
                Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
        }
    });

    private async Task<VersionReference> MadeAsync(string name, SubtractionRequest request)
    {
        await PrivacyWorld.EndedAsync(fixture.Ann, "/subtractions", request);
        return (await fixture.Ann.GetAsync<AdapterView>($"/adapters/{name}")).Main!;
    }

    private async Task<string> CardAsync(VersionReference version) => Encoding.UTF8.GetString(await fixture.Ann.DownloadAsync(version, "README.md"));
}

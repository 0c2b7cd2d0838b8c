using System.Text;
using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Lists and searches as the Hub's clients ask for them.</summary>
public sealed class HubListTests(HubListTests.Fixture fixture) : IClassFixture<HubListTests.Fixture>
{
    private static readonly string[] All = ["ann/alpha", "ann/beta-sql", "bob/sql-gamma"];

    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings())
    {
        internal StackApi Ann { get; private set; } = null!;

        public override async ValueTask InitializeAsync()
        {
            await base.InitializeAsync();
            Ann = await Stack.AccountAsync("ann");
            var bob = await Stack.AccountAsync("bob");
            var carded = StackAdapters.Files(11, "org/other");
            carded["README.md"] = Encoding.UTF8.GetBytes("---\nlicense: mit\ntags:\n- sql\n---\n");
            // In an order that is not that of the names.
            await bob.PublishedAsync("bob/sql-gamma", carded);
            await Ann.PublishedAsync("ann/alpha", StackAdapters.Files(12));
            await Ann.PublishedAsync("ann/beta-sql", StackAdapters.Files(13));
            await Ann.PublishedAsync("ann/secret-sql", StackAdapters.Files(14), isPrivate: true);
            await Ann.PublishedAsync("ann/unlisted", StackAdapters.Files(15));
            await Ann.SendAsync(HttpMethod.Patch, "/adapters/ann/unlisted", new UpdateAdapterRequest(Listed: false));
        }
    }

    [Theory]
    [InlineData("", "ann/alpha ann/beta-sql bob/sql-gamma")]
    [InlineData("author=ann", "ann/alpha ann/beta-sql")]
    [InlineData("author=ANN", "ann/alpha ann/beta-sql")]
    [InlineData("author=nobody", "")]
    [InlineData("author=..", "")]
    [InlineData("search=sql", "ann/beta-sql bob/sql-gamma")]
    [InlineData("search=SQL&search=ann", "ann/beta-sql")]
    [InlineData("search=test-base", "")] // the base model is no part of the id
    [InlineData("search=secret", "")]
    [InlineData("filter=peft", "ann/alpha ann/beta-sql bob/sql-gamma")]
    [InlineData("filter=sql", "bob/sql-gamma")]
    [InlineData("filter=peft&filter=license:mit", "bob/sql-gamma")]
    [InlineData("filter=peft,license:mit", "bob/sql-gamma")]
    [InlineData("filter=base_model:adapter:org/other", "bob/sql-gamma")]
    [InlineData("filter=base_model:org/none", "")]
    [InlineData("gated=false", "ann/alpha ann/beta-sql bob/sql-gamma")]
    [InlineData("gated=true", "")]
    [InlineData("inference=warm", "")]
    [InlineData("inference_provider=all", "")]
    [InlineData("num_parameters=min:1B", "")]
    [InlineData("apps=vllm", "")]
    [InlineData("pipeline_tag=text-to-image", "")]
    [InlineData("sort=createdAt&direction=-1", "ann/beta-sql ann/alpha bob/sql-gamma")]
    [InlineData("sort=lastModified", "ann/beta-sql ann/alpha bob/sql-gamma")]
    [InlineData("sort=created_at&direction=1", "bob/sql-gamma ann/alpha ann/beta-sql")]
    [InlineData("sort=downloads", "ann/alpha ann/beta-sql bob/sql-gamma")]
    [InlineData("sort=createdAt&search=sql", "ann/beta-sql bob/sql-gamma")]
    public Task A_list_has_what_was_asked_for_in_pages_of_any_size(string query, string expected) => stack.RunAsync(async () =>
    {
        foreach (var limit in new[] { 1, 2, 1000 })
            Assert.Equal(expected, string.Join(' ', await stack.Anonymous.PagesAsync($"/api/models?{query}&limit={limit}", m => m.Text("id"))));
    });

    [Fact]
    public Task A_list_ends_where_a_stranger_sees_nothing_more() => stack.RunAsync(async () =>
    {
        // After these two come only what is private and what is unlisted.
        var answer = await stack.Anonymous.AtAsync(HttpMethod.Get, "/api/models?author=ann&limit=2");
        Assert.False(answer.Headers.ContainsKey("Link"));
        Assert.Equal(["ann/alpha", "ann/beta-sql", "ann/secret-sql"], await fixture.Ann.PagesAsync("/api/models?author=ann", m => m.Text("id")));
    });

    [Fact]
    public Task Entries_have_what_clients_read_and_more_on_demand() => stack.RunAsync(async () =>
    {
        var entry = Assert.Single((await stack.Anonymous.JsonAsync("/api/models?filter=sql")).EnumerateArray());
        foreach (var member in new[] { "_id", "id", "modelId", "author", "sha", "lastModified", "createdAt", "private", "gated", "downloads", "likes", "tags", "library_name" })
            Assert.True(entry.TryGetProperty(member, out _), member);
        Assert.False(entry.TryGetProperty("siblings", out _));
        Assert.False(entry.TryGetProperty("cardData", out _));
        var full = Assert.Single((await stack.Anonymous.JsonAsync("/api/models?filter=sql&full=True")).EnumerateArray());
        Assert.Equal(["README.md", "adapter_config.json", "adapter_model.safetensors"], full.GetProperty("siblings").EnumerateArray().Select(s => s.Text("rfilename")));
        Assert.Equal("mit", full.GetProperty("cardData").Text("license"));
    });

    [Theory]
    [InlineData("cursor=nonsense")]
    [InlineData("cursor=nonsense&sort=createdAt")]
    public Task A_cursor_of_somebody_else_is_refused(string query) => stack.RunAsync(async () =>
        HubReadTests.AssertProblem(await stack.Anonymous.AtAsync(HttpMethod.Get, $"/api/models?{query}"), 400, null));

    [Fact]
    public Task Everything_that_is_public_is_in_the_list_and_nothing_else() => stack.RunAsync(async () =>
        Assert.Equal(All, await stack.Anonymous.PagesAsync("/api/models", m => m.Text("id"))));
}

using System.Globalization;
using System.Text.Json;
using Marketplace.Cli;
using Marketplace.Cli.Cost;
using Marketplace.Tests.Cli;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Operations;

public sealed class CostTests
{
    // Numbers easy to reckon with by hand.
    private static readonly CostSize Hand = Assert.Single(CostSize.Read(
        """
        { "hand": {
            "adapters": 1000, "versionsPerAdapter": 2, "adapterMegabytes": 50, "uploadsPerDay": 10, "downloadsPerDay": 100, "requestsPerDay": 10000, "mergesPerDay": 20, "mergeSeconds": 30,
            "evaluationsPerDay": 5, "evaluationSeconds": 60, "functionJobsPerDay": 4, "functionJobSeconds": 10, "requestSeconds": 0.1, "validationSeconds": 5, "functionsGigabytes": 2, "readyInstances": 1,
            "kernelStartsPerDay": 3, "kernelStartSeconds": 100, "kernelCooldownSeconds": 300, "kernelVcpus": 4, "kernelGibibytes": 8, "kernelGpus": 1, "queuePollsPerSecond": 2, "logGigabytes": 10, "alertRules": 6 } }
        """, "hand.json"));

    private static string Shipped(string name) => File.ReadAllText(Path.Combine(Fixtures.Repository, "infra", "cost", name));

    // Quantity by hand, and the bill at a price of 0.5 for 10 units after 100 free ones.
    [Theory]
    [InlineData("published bytes", "1000 versions × 2 × 0.05 GB × 1.05", 105)]
    [InlineData("blob writes", "30 × (10 + 20 + 4) × 12", 12_240)]
    [InlineData("blob reads", "30 × (100 × 2 + 10 × 8)", 8_400)]
    [InlineData("table rows", "2000 × 10 KB", 0.02)]
    [InlineData("table operations", "30 × (40,000 + 400 + (900 + 40) × 2.5)", 1_282_500)]
    [InlineData("queue operations", "30 × (172,800 + 4 × 39)", 5_188_680)]
    [InlineData("downloads", "30 × 100 × 0.05 GB", 150)]
    [InlineData("execution", "30 × (1000 + 50 + 40) s × 2 GB", 65_400)]
    [InlineData("executions", "30 × 10,014", 300_420)]
    [InlineData("always ready", "30 × 86,400 s × 2 GB", 5_184_000)]
    [InlineData("GPU", "30 × (20 × 30 + 5 × 60 + 3 × 400) s", 63_000)]
    [InlineData("processors", "4 × as much", 252_000)]
    [InlineData("memory", "8 × as much", 504_000)]
    [InlineData("registry", "30 days", 30)]
    [InlineData("logs, traces, metrics", "", 10)]
    [InlineData("alerts", "", 6)]
    public void Each_line_is_what_one_reckons_by_hand(string what, string how, double quantity)
    {
        Assert.NotNull(how);
        var names = CostModel.Estimate(Hand, CostPrices.Read(Shipped("prices.json"), "prices.json"), "prices.json").Select(l => l.Price).ToList();
        var prices = new CostPrices("EUR", "here", names.ToDictionary(n => n, _ => new CostPrice(0.5, 10, "unit", "2026-01-01", Free: 100)));
        var line = Assert.Single(CostModel.Estimate(Hand, prices, "hand.json"), l => l.What == what);
        Assert.Equal(quantity, line.Quantity, 6);
        Assert.Equal(Math.Max(0, quantity - 100) / 10 * 0.5, line.Monthly, 6);
    }

    [Fact]
    public void A_price_that_is_missing_is_named()
    {
        var prices = CostPrices.Read(Shipped("prices.json"), "prices.json");
        foreach (var name in prices.Prices.Keys)
        {
            var without = prices with { Prices = prices.Prices.Where(p => p.Key != name).ToDictionary() };
            var refused = Assert.Throws<CliException>(() => CostModel.Estimate(Hand, without, "mine.json"));
            Assert.Equal("price-unknown", refused.Code);
            Assert.Contains($"mine.json has no price '{name}'", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Files_with_something_wrong_are_refused_with_its_name()
    {
        Assert.Contains("'logGigabyte'", Assert.Throws<CliException>(() => CostSize.Read("""{ "x": { "logGigabyte": 1 } }""", "s.json")).Message, StringComparison.Ordinal);
        Assert.Contains("lacks the number", Assert.Throws<CliException>(() => CostSize.Read("""{ "x": { "logGigabytes": 1 } }""", "s.json")).Message, StringComparison.Ordinal);
        Assert.Contains("'a'", Assert.Throws<CliException>(() => CostPrices.Read("""{ "currency": "EUR", "region": "x", "prices": { "a": { "price": -1, "per": 1, "unit": "x", "date": "" } } }""", "p.json")).Message, StringComparison.Ordinal);
        Assert.Equal("prices-invalid", Assert.Throws<CliException>(() => CostPrices.Read("[]", "p.json")).Code);
        Assert.Throws<CliException>(() => Hand.With(["logGigabytes=much"]));
        Assert.Contains("Did you mean 'logGigabytes'?", Assert.Throws<CliException>(() => Hand.With(["logGigabites=1"])).Message, StringComparison.Ordinal);
        Assert.Equal(7, Hand.With(["logGigabytes=7"])["logGigabytes"]);
    }

    [Fact]
    public void Every_shipped_price_says_what_when_and_where()
    {
        var prices = CostPrices.Read(Shipped("prices.json"), "prices.json");
        Assert.All(prices.Prices.Values, p => Assert.True(DateOnly.TryParseExact(p.Date, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _) && p.Unit.Length > 0 && p.Note is { Length: > 0 } && p.Page is null or ['h', 't', 't', 'p', 's', ..]));
        // A size that is larger in every way costs more.
        var totals = CostSize.Read(Shipped("sizes.json"), "sizes.json").Select(s => CostModel.Estimate(s, prices, "").Sum(l => l.Monthly)).ToList();
        Assert.Equal(totals.Order(), totals);
    }

    [Fact]
    public async Task The_command_estimates_without_a_service_and_says_which_prices_are_unread()
    {
        using var cli = new CliProcess();
        var run = await cli.Run("cost", "small", "--set", "logGigabytes=15", "--json");
        Assert.True(run.ExitCode == 0, run.ToString());
        var size = Assert.Single(run.Json.GetProperty("sizes").EnumerateArray());
        var logs = size.GetProperty("lines").EnumerateArray().Single(l => l.GetProperty("price").GetString() == "logs.ingestion");
        Assert.Equal((15 - 5) * 2.30, logs.GetProperty("monthly").GetDouble(), 6);
        Assert.Contains("table.operations", run.Json.GetProperty("fromMemory").EnumerateArray().Select(p => p.GetString()));
        Assert.DoesNotContain("logs.ingestion", run.Json.GetProperty("fromMemory").EnumerateArray().Select(p => p.GetString()));
        Assert.Contains("check them", run.Errors, StringComparison.Ordinal);

        var table = await cli.Run("cost");
        Assert.Contains("public", table.Output, StringComparison.Ordinal);
        Assert.Equal(2, (await cli.Run("cost", "huge")).ExitCode);
        var prices = Path.Combine(cli.Home, "prices.json");
        var all = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(Shipped("prices.json"))!;
        await File.WriteAllTextAsync(prices, JsonSerializer.Serialize(new { currency = "EUR", region = "x", prices = all["prices"].EnumerateObject().Skip(1).ToDictionary(p => p.Name, p => p.Value) }), TestContext.Current.CancellationToken);
        var missing = await cli.Run("cost", "--prices", prices, "--json");
        Assert.Equal((1, "price-unknown"), (missing.ExitCode, missing.Json.GetProperty("code").GetString()));
        Assert.Contains("blob.capacity", missing.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }
}

using Xunit;

namespace Marketplace.Tests.Cli;

public sealed class UsageTests : IDisposable
{
    private readonly CliProcess cli = new();

    [Fact]
    public async Task Without_a_service_a_command_says_how_to_start_one()
    {
        var run = await cli.Run("list");

        Assert.Equal(3, run.ExitCode);
        Assert.Empty(run.Output);
        Assert.Contains("marketplace up", run.Errors);
    }

    [Fact]
    public async Task An_address_where_nothing_listens_is_reported_as_unreachable()
    {
        // Port 1 is reserved and never served.
        var run = await cli.Run("show", "a/b", "--url", "http://127.0.0.1:1", "--json");

        Assert.Equal(3, run.ExitCode);
        Assert.Equal("unreachable", run.Json.GetProperty("code").GetString());
        Assert.Contains("marketplace up", run.Json.GetProperty("hint").GetString());
    }

    [Theory]
    [InlineData("list", "lst")]
    [InlineData("download", "donwload")]
    [InlineData("base-models", "basemodels")]
    public async Task A_misspelled_command_is_answered_with_the_right_one(string right, string typed)
    {
        var run = await cli.Run(typed);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains($"Did you mean '{right}'?", run.Errors);
    }

    [Theory]
    [InlineData("--owner", "list", "--owmer", "x")]
    [InlineData("--method", "merge", "a/b", "a/c", "-o", "d", "--metod", "svd")]
    [InlineData("--json", "list", "--jsn")]
    public async Task A_misspelled_option_is_not_taken_for_an_argument(string right, params string[] typed)
    {
        var run = await cli.Run(typed);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains($"Did you mean '{right}'?", run.Errors);
    }

    [Fact]
    public async Task Methods_and_their_parameters_are_listed_without_a_service()
    {
        var all = (await cli.Run("methods", "--json")).Json.GetProperty("items").EnumerateArray().Select(m => m.GetProperty("name").GetString());
        Assert.Superset(new HashSet<string?> { "linear", "ties", "peft_factorwise_linear" }, all.ToHashSet());
        Assert.Contains("density", (await cli.Run("methods", "ties")).Output);
        var run = await cli.Run("methods", "tiess");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("Did you mean 'ties'?", run.Errors);
    }

    [Theory]
    [InlineData("Did you mean 'ties'?", "method-unknown", "merge", "a/b", "a/c", "-o", "d", "-m", "tie")]
    [InlineData("", "parameter-unknown", "merge", "a/b", "a/c", "-o", "d", "-p", "density=0.2")]
    [InlineData("", "parameter-invalid", "merge", "a/b", "a/c", "-o", "d", "-m", "ties", "-p", "density=2")]
    [InlineData("", "weights-unused", "merge", "a/b=2", "-o", "d", "-m", "negate")]
    public async Task A_merge_that_can_t_be_is_refused_before_anybody_is_asked(string hint, string code, params string[] typed)
    {
        var run = await cli.Run([.. typed, "--json"]);

        Assert.Equal((1, code), (run.ExitCode, run.Json.GetProperty("code").GetString()));
        Assert.Contains(hint, run.Json.GetProperty("hint").GetString());
    }

    [Fact]
    public async Task Bad_usage_is_one_json_document_when_json_is_asked_for()
    {
        var run = await cli.Run("merge", "a/b", "--json");

        Assert.Equal(2, run.ExitCode);
        Assert.Equal("usage", run.Json.GetProperty("code").GetString());
        Assert.Contains("--output", run.Json.GetProperty("detail").GetString());
    }

    [Theory]
    [InlineData("sample")]
    [InlineData("a/b/c")]
    [InlineData("a/b@")]
    [InlineData("a/..b")]
    public async Task What_names_no_adapter_is_refused_before_anything_is_asked(string name)
    {
        var run = await cli.Run("show", name, "--url", "http://127.0.0.1:1");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("owner/name", run.Errors);
    }

    [Theory]
    [InlineData("a/b=much")]
    [InlineData("a/b=NaN")]
    [InlineData("a/b=")]
    public async Task A_weight_must_be_a_number(string input)
    {
        var run = await cli.Run("merge", input, "a/c", "-o", "a/d", "--url", "http://127.0.0.1:1");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("weight", run.Errors);
    }

    [Fact]
    public async Task Rank_and_energy_exclude_each_other()
    {
        var run = await cli.Run("merge", "a/b", "a/c", "-o", "a/d", "--rank", "4", "--energy", "0.9", "--url", "http://127.0.0.1:1");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("exclude", run.Errors);
    }

    [Fact]
    public async Task Help_lists_every_command()
    {
        var run = await cli.Run("--help");

        Assert.Equal(0, run.ExitCode);
        string[] commands = ["up", "demo", "publish", "validate", "list", "show", "similar", "cluster", "diverse", "router", "subtract", "merge", "compare", "lineage", "job", "download", "keys", "base-models"];
        Assert.All(commands, c => Assert.Matches($@"(?m)^  {c}\b", run.Output));
    }

    [Fact]
    public async Task Shells_are_told_how_a_word_may_go_on()
    {
        var run = await cli.Run("[suggest:3]", "pub");

        Assert.Equal("publish", run.Output.Trim());
    }

    public void Dispose() => cli.Dispose();
}

using System.Text.Json;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>The commands that work with a library, over HTTP on a running stack.</summary>
public sealed class WorkshopTests(UpFixture fixture) : IClassFixture<UpFixture>
{
    private readonly CliProcess cli = fixture.Cli;

    [Fact]
    public async Task A_library_is_listed_compared_clustered_merged_and_subtracted()
    {
        await Publish("copy", "sort", "log");

        // The other tests of this class publish into the same account.
        Assert.Superset(new HashSet<string> { "ada/copy", "ada/log", "ada/sort" }, Ids(await Ok("list", "--base-model", "marketplace/samples-base")).ToHashSet());
        Assert.Equal(["ada/log"], Ids(await Ok("list", "log", "--tag", "general")));
        Assert.Empty(Ids(await Ok("list", "--owner", "nobody")));
        Assert.NotEmpty((await Ok("similar", "ada/sort")).GetProperty("items").EnumerateArray());

        var clusters = await Ok("cluster", "marketplace/samples-base", "-k", "2");
        Assert.Equal(2, clusters.GetProperty("k").GetInt32());
        Assert.Equal(clusters.GetProperty("id").GetString(), (await Ok("cluster", "marketplace/samples-base", "--latest")).GetProperty("id").GetString());

        var merge = await Ok("merge", "ada/sort", "ada/copy@1=0.5", "-o", "both", "--method", "cat");
        Assert.Equal("ada/both", merge.GetProperty("result").GetProperty("version").GetProperty("adapter").GetString());
        var again = await Ok("merge", "ada/sort", "ada/copy@1=0.5", "-o", "both", "--method", "cat");
        Assert.Equal(merge.GetProperty("jobId").GetString(), again.GetProperty("jobId").GetString());
        var parents = (await Ok("show", "ada/both")).GetProperty("version").GetProperty("lineage").GetProperty("parents").EnumerateArray();
        Assert.Equal([1, 0.5], parents.Select(p => p.GetProperty("weight").GetDouble()));

        var subtraction = await Ok("subtract", "ada/sort", "--general", "ada/log", "-o", "ada/sort-only");
        Assert.Equal("succeeded", subtraction.GetProperty("status").GetString());
        var job = subtraction.GetProperty("jobId").GetString()!;
        Assert.Equal(job, (await Ok("job", "watch", job)).GetProperty("jobId").GetString());
        Assert.Contains(job, (await Ok("job", "list")).GetProperty("items").EnumerateArray().Select(j => j.GetProperty("jobId").GetString()));

        var target = Path.Combine(cli.Home, "merged");
        await Ok("download", "ada/both", target);
        Assert.True((await Ok("validate", target)).GetProperty("valid").GetBoolean());
    }

    [Fact]
    public async Task A_recipe_is_planned_and_carried_out()
    {
        await Publish("copy", "sort", "log");
        var path = Path.Combine(cli.Home, "recipe.yaml");
        await File.WriteAllTextAsync(path, """
            method: task_arithmetic
            inputs:
              - {adapter: ada/sort, weight: [1, 0.5]}
              - recipe: {method: linear, inputs: [{adapter: ada/copy}, {adapter: ada/log, weight: 3}]}
                weight: -0.5
            rank: 4
            output: ada/planned
            """, TestContext.Current.CancellationToken);

        var plan = await Ok("merge", path, "--dry-run");
        var planned = await cli.Run("list", "planned", "--json");
        var merge = await Ok("merge", path, "--param", "lambda=2", "--notes", "from a file");
        var shown = await Ok("show", "ada/planned");

        Assert.Equal(["linear", "task_arithmetic"], plan.GetProperty("steps").EnumerateArray().Select(s => s.GetProperty("method").GetString()));
        Assert.Empty(Ids(planned.Json));
        Assert.Equal("ada/planned", merge.GetProperty("result").GetProperty("version").GetProperty("adapter").GetString());
        Assert.Equal(2, merge.GetProperty("request").GetProperty("recipe").GetProperty("parameters").GetProperty("lambda").GetDouble());
        Assert.Equal("from a file", shown.GetProperty("version").GetProperty("message").GetString());
        Assert.Contains("step 1", (await cli.Run("merge", path, "--dry-run")).Output);
    }

    [Theory]
    [InlineData("method: linear\ninputs: [{adapter: ada/sort, wheight: 1}]", "recipe-invalid", "$.inputs[0].wheight")]
    [InlineData("method: linear\n  inputs: [", "recipe-invalid", "line")]
    public async Task A_recipe_that_is_none_is_refused_with_its_place(string text, string code, string place)
    {
        var path = Path.Combine(cli.Home, "wrong.yaml");
        await File.WriteAllTextAsync(path, text, TestContext.Current.CancellationToken);

        var run = await cli.Run("merge", path, "-o", "ada/x", "--json");

        Assert.Equal((1, code), (run.ExitCode, run.Json.GetProperty("code").GetString()));
        Assert.StartsWith(place, run.Json.GetProperty("issues")[0].GetProperty("path").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_misspelled_input_of_a_merge_is_answered_with_the_right_one()
    {
        await Publish("copy", "sort");

        var run = await cli.Run("merge", "ada/sort", "ada/cpy", "-o", "ada/x");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("Did you mean ada/copy?", run.Errors);
    }

    [Fact]
    public async Task A_result_in_another_account_is_not_authorised()
    {
        await Publish("copy", "sort");

        var run = await cli.Run("merge", "ada/sort", "ada/copy", "-o", "bob/x", "--json");

        Assert.Equal((4, "forbidden"), (run.ExitCode, run.Json.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task An_unlisted_adapter_is_hidden_until_it_is_listed_again()
    {
        await Publish("upper");

        await Ok("unlist", "ada/upper");
        var hidden = Ids(await Ok("list", "upper"));
        var own = Ids(await Ok("list", "upper", "--unlisted"));
        await Ok("unlist", "ada/upper", "--undo");

        Assert.Empty(hidden);
        Assert.Equal(["ada/upper"], own);
        Assert.Equal(["ada/upper"], Ids(await Ok("list", "upper")));
    }

    [Fact]
    public async Task A_local_path_joins_a_library_once_it_is_confirmed()
    {
        var folder = Path.Combine(cli.Home, "homemade");
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.GetFiles(Path.Combine(Fixtures.Repository, "samples", "library", "last")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        var config = Path.Combine(folder, "adapter_config.json");
        await File.WriteAllTextAsync(
            config, (await File.ReadAllTextAsync(config, TestContext.Current.CancellationToken)).Replace("marketplace/samples-base", "./models/mine", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        await Ok("publish", folder);
        Assert.False((await Ok("show", "ada/homemade")).GetProperty("adapter").TryGetProperty("baseModel", out _));
        Assert.Equal(5, (await cli.Run("base-models", "resolve", "./models/mine")).ExitCode);

        var confirmed = await Ok("base-models", "confirm", "./models/mine", "marketplace/other-base");

        Assert.Equal("ada/homemade", Assert.Single(confirmed.GetProperty("adapters").EnumerateArray()).GetString());
        Assert.Equal("marketplace/other-base", (await Ok("base-models", "resolve", "./models/mine")).GetProperty("baseModel").GetString());
        Assert.Contains("marketplace/other-base", (await Ok("base-models", "list")).GetProperty("items").EnumerateArray().Select(m => m.GetProperty("id").GetString()));
    }

    [Fact]
    public async Task A_key_works_until_it_is_revoked()
    {
        var key = await Ok("keys", "create", "robot", "--scope", "read", "--days", "1");
        var token = key.GetProperty("token").GetString()!;

        var before = (await cli.Run("whoami", "--json", "--key", token)).Json;
        await Ok("keys", "revoke", key.GetProperty("id").GetString()!);
        var after = await cli.Run("whoami", "--json", "--key", token);

        Assert.Equal(("ada", "read"), (before.GetProperty("owner").GetString(), before.GetProperty("scope").GetString()));
        Assert.Equal(4, after.ExitCode);
        Assert.Contains((await Ok("keys", "list")).GetProperty("items").EnumerateArray(), k => k.GetProperty("name").GetString() == "robot" && k.GetProperty("revoked").GetBoolean());
    }

    private async Task Publish(params string[] names)
    {
        foreach (var name in names)
            await Ok("publish", Path.Combine(Fixtures.Repository, "samples", "library", name));
    }

    private async Task<JsonElement> Ok(params string[] arguments)
    {
        var run = await cli.Run([.. arguments, "--json"]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', arguments)}: {run}");
        return run.Json;
    }

    private static IEnumerable<string> Ids(JsonElement list) => list.GetProperty("items").EnumerateArray().Select(a => a.GetProperty("id").GetString()!);
}

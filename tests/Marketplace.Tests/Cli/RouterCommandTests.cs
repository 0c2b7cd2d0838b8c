using System.Text.Json;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>The commands around routers and diverse subsets, over HTTP on a running stack.</summary>
public sealed class RouterCommandTests(UpFixture fixture) : IClassFixture<UpFixture>
{
    private readonly CliProcess cli = fixture.Cli;

    [Fact]
    public async Task A_router_is_exported_fetched_asked_and_merged_by()
    {
        await Publish("copy", "sort", "log");
        var folder = Path.Combine(cli.Home, "router");
        var router = await Ok("router", "export", "ada/copy", "ada/sort@1", "-g", "ada/log=2", "--beta", "0.5", "--tie", "q_proj,k_proj,v_proj", "--top-k", "1", "--name", "two tasks", "-o", folder);
        var id = router.GetProperty("id").GetString()!;
        Assert.Equal(["ada/copy", "ada/sort"], router.GetProperty("experts").EnumerateArray().Select(e => e.GetProperty("adapter").GetString()));
        var model = RouterModel.Parse(await File.ReadAllBytesAsync(Path.Combine(folder, RouterModel.PrototypesFile), TestContext.Current.CancellationToken), await File.ReadAllBytesAsync(Path.Combine(folder, RouterModel.DescriptionFile), TestContext.Current.CancellationToken));
        Assert.Equal(["ada/copy@1", "ada/sort@1"], model.Description.Experts);
        Assert.Equal((0.5, RouterSubtractionMode.Exact), (model.Description.Subtraction!.Beta, model.Description.Subtraction.Mode));
        Assert.Equal(id, (await Ok("router", "show", id)).GetProperty("id").GetString());
        Assert.Contains("two tasks", (await cli.Run("router", "show", id)).Output);

        // A token that is an adapter's prototype goes to this adapter.
        var module = model.Description.Modules.First(m => m.Members.Length > 1 && m.Routes(0) && m.Routes(1));
        var tokens = Path.Combine(cli.Home, "tokens.safetensors");
        SafetensorsWriter.Save(tokens, [TensorSource.FromDoubles(
            module.Members[1], TensorType.F32, [4, module.In], () => [.. Enumerable.Repeat(model.Prototypes(module)[..module.In].ToArray(), 4).SelectMany(v => v).Select(v => 9d * v)])]);
        var routed = (await Ok("router", "route", id, tokens)).GetProperty("modules")[0];
        Assert.Equal([0, 0, 0, 0], routed.GetProperty("indices").EnumerateArray().Select(i => i[0].GetInt32()));
        Assert.Equal(module.Members, routed.GetProperty("members").EnumerateArray().Select(m => m.GetString()!));

        var json = Path.Combine(cli.Home, "tokens.json");
        await File.WriteAllTextAsync(json, JsonSerializer.Serialize(new { logits = new Dictionary<string, double[][]> { [module.Tensor] = [[1, -3], [2, 0]] } }), TestContext.Current.CancellationToken);
        var shown = await cli.Run("router", "route", id, json, "--top-k", "2", "--temperature", "0.5");
        Assert.Equal(0, shown.ExitCode);
        Assert.Contains("ada/sort@1", shown.Output);

        var recipe = Path.Combine(cli.Home, "routed.json");
        Assert.Equal([0.5, 0.5], (await Ok("router", "route", id, json, "--recipe", recipe)).GetProperty("modules")[0].GetProperty("mean").EnumerateArray().Select(m => m.GetDouble()));
        var plan = await Ok("merge", recipe, "--dry-run");
        Assert.Equal("task_arithmetic", plan.GetProperty("steps")[0].GetProperty("method").GetString());

        var refused = await cli.Run("router", "route", id, json, "--top-k", "0", "--json");
        Assert.Equal((1, "invalid-request"), (refused.ExitCode, refused.Json.GetProperty("code").GetString()));
        Assert.Equal(5, (await cli.Run("router", "show", new string('0', 32), "--json")).ExitCode);
    }

    [Fact]
    public async Task A_few_adapters_stand_for_a_library_and_pairs_are_compared()
    {
        await Publish("copy", "sort", "log");
        var diverse = await Ok("diverse", "marketplace/samples-base", "-n", "2");
        Assert.Equal(2, diverse.GetProperty("picks").GetArrayLength());
        Assert.Equal("logDeterminant", (await Ok("diverse", "marketplace/samples-base", "--objective", "logDeterminant", "--mine")).GetProperty("objective").GetString());
        Assert.Contains("nearest chosen before", (await cli.Run("diverse", "marketplace/samples-base")).Output);
        var pair = (await Ok("compare", "ada/copy", "ada/sort")).GetProperty("report").GetProperty("pairs")[0].GetProperty("spans");
        Assert.Equal(1, pair.GetProperty("overlap").GetDouble() + pair.GetProperty("complementarity").GetDouble(), 1e-12);
        Assert.Equal(0, (await cli.Run("compare", "ada/copy", "ada/sort")).ExitCode);
    }

    [Fact]
    public async Task A_router_of_nothing_or_of_two_things_is_bad_usage()
    {
        Assert.Equal(2, (await cli.Run("router", "export", "--json")).ExitCode);
        Assert.Equal(2, (await cli.Run("router", "export", "ada/copy", "--collection", "ada/all", "--json")).ExitCode);
        Assert.Equal(2, (await cli.Run("router", "route", new string('0', 32), Path.Combine(cli.Home, "absent.json"), "--json")).ExitCode);
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
}

using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Cli;

public sealed class ValidateTests : IDisposable
{
    private readonly CliProcess cli = new();

    public static TheoryData<string> Library => [.. Directory.GetDirectories(Path.Combine(Samples, "library")).Select(f => Path.GetFileName(f))];

    private static string Samples => Path.Combine(Fixtures.Repository, "samples");

    [Theory]
    [MemberData(nameof(Library))]
    public async Task Every_sample_is_valid(string name)
    {
        var run = await cli.Run("validate", Path.Combine(Samples, "library", name), "--json");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.True(run.Json.GetProperty("valid").GetBoolean());
        Assert.Equal(0, run.Json.GetProperty("issues").GetArrayLength());
    }

    [Theory]
    [InlineData("truncated", "layers.1.self_attn.o_proj.lora_B.weight")]
    [InlineData("rank-mismatch", "layers.0.self_attn.k_proj.lora_A.weight")]
    public async Task A_broken_sample_is_refused_with_code_and_place(string name, string place)
    {
        var run = await cli.Run("validate", Path.Combine(Samples, "broken", name), "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.False(run.Json.GetProperty("valid").GetBoolean());
        // Each folder is named for the code of its only defect.
        var issues = run.Json.GetProperty("issues").EnumerateArray().ToList();
        Assert.All(issues, i => Assert.Equal(("error", name), (i.GetProperty("severity").GetString(), i.GetProperty("code").GetString())));
        Assert.Contains(issues, i => i.GetProperty("path").GetString()!.EndsWith(place, StringComparison.Ordinal));
    }

    [Fact]
    public async Task For_people_the_findings_are_a_table()
    {
        var run = await cli.Run("validate", Path.Combine(Samples, "broken", "rank-mismatch"));

        Assert.Equal(1, run.ExitCode);
        Assert.Matches("severity.*code.*place.*message", run.Output);
        Assert.Contains("not valid", run.Output);
    }

    [Theory]
    [InlineData("publish")]
    [InlineData("validate")]
    public async Task A_folder_without_a_configuration_is_no_adapter(string command)
    {
        var run = await cli.Run(command, Path.Combine(Samples, "library"), "--json");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("adapter_config.json", run.Json.GetProperty("detail").GetString());
        Assert.Contains("did you mean", run.Json.GetProperty("hint").GetString());
    }

    [Fact]
    public async Task A_whole_model_is_recognised_as_one()
    {
        var run = await cli.Run("validate", Path.Combine(Samples, "base"));

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("whole model", run.Errors);
    }

    [Fact]
    public async Task A_broken_folder_is_not_sent()
    {
        // No service is needed to refuse it.
        var run = await cli.Run("publish", Path.Combine(Samples, "broken", "truncated"), "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal("invalid-adapter", run.Json.GetProperty("code").GetString());
        Assert.NotEqual(0, run.Json.GetProperty("issues").GetArrayLength());
    }

    public void Dispose() => cli.Dispose();
}

using Marketplace.Core.Composition;
using Marketplace.Core.Merges;

namespace Marketplace.Kernels.Tests.Composition;

/// <summary>What a request may say of a method.</summary>
public class SettingsTests
{
    public static TheoryData<string> Methods => [.. CompositionMethods.All.Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Methods))]
    public void Defaults_are_values_that_the_method_itself_accepts(string name)
    {
        var method = CompositionMethods.Find(name)!;
        Assert.Equal(method.Parameters.Length, method.Parameters.Select(p => p.Name).Distinct().Count());
        var defaults = CompositionSettings.Of(name);
        Assert.Equal(method.Parameters.Length, defaults.Parameters.Count);
        Assert.All(method.Parameters, p => Assert.Null(p.Refuse(defaults.Parameters[p.Name])));
        Assert.False(defaults.SearchesRecipe);
        // Said or not, it is the same.
        Assert.True(CompositionSettings.TryCreate(name, defaults.Parameters, defaults.Seed, out var said, out _));
        Assert.Equal(defaults.Parameters, said!.Parameters);
        Assert.NotNull(MergeGraph.Create(defaults.Recipe([new("a"), new("b")]), n => n, out _));
    }

    [Theory]
    [InlineData("guess", "epochs", "1", "method-unknown", "method")]
    [InlineData("atlas", "evaluations", "1", "parameter-unknown", "parameters.evaluations")]
    [InlineData("atlas", "epochs", "1.5", "parameter-invalid", "parameters.epochs")]
    [InlineData("atlas", "learning_rate", "0", "parameter-invalid", "parameters.learning_rate")]
    [InlineData("atlas", "learning_rate", "[0.1, 0.2]", "parameter-invalid", "parameters.learning_rate")]
    [InlineData("atlas", "granularity", "\"shared\"", "parameter-invalid", "parameters.granularity")]
    [InlineData("scalearn", "dropout", "1", "parameter-invalid", "parameters.dropout")]
    [InlineData("search", "merge", "\"addition\"", "parameter-invalid", "parameters.merge")]
    [InlineData("axis", "trained", "0", "parameter-invalid", "parameters.trained")]
    public void What_can_t_be_is_refused_at_its_place(string method, string parameter, string json, string code, string place)
    {
        var value = System.Text.Json.JsonSerializer.Deserialize<RecipeValue>(json)!;
        Assert.False(CompositionSettings.TryCreate(method, new Dictionary<string, RecipeValue> { [parameter] = value }, null, out _, out var problems));
        var problem = Assert.Single(problems);
        Assert.Equal((code, place), (problem.Code, problem.Place));
    }

    [Fact]
    public void Only_linear_merges_are_searched_by_layer()
    {
        Assert.True(CompositionSettings.TryCreate("search", Given("linear"), null, out _, out _));
        Assert.False(CompositionSettings.TryCreate("search", Given("ties"), null, out _, out var problems));
        Assert.Equal("parameters.granularity", Assert.Single(problems).Place);

        static Dictionary<string, RecipeValue> Given(string merge) => new() { ["merge"] = RecipeValue.Of(merge), ["granularity"] = RecipeValue.Of("layer") };
    }
}

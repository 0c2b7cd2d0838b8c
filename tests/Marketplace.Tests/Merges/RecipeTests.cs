using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Recipes as files: what is read, what is refused and where, what counts as the same.</summary>
public sealed class RecipeTests
{
    private const string Yaml = """
        # Two merged, the result merged with a third.
        method: linear
        inputs:
          - adapter: acme/sql@3
            weight: [0, 0.5, 1]
          - recipe:
              method: task_arithmetic
              inputs:
                - adapter: acme/chat
                - {adapter: acme/code, weight: -0.25}
              parameters: {lambda: 0.5}
            weight:
              - {filter: mlp, value: 0.3}
              - value: 0.7
        parameters:
          normalize: false
        rank: 16
        dtype: BF16
        seed: 7
        output: acme/mixed
        notes: "1.0"
        """;

    private const string Json = """
        {"output": {"adapter": "acme/mixed"}, "seed": 7, "dtype": "BF16", "rank": 16, "notes": "1.0", "method": "linear",
         "parameters": {"normalize": false},
         "inputs": [{"adapter": "acme/sql@3", "weight": [0, 0.5, 1.0]},
                    {"weight": [{"filter": "mlp", "value": 0.3}, {"value": 7e-1}],
                     "recipe": {"method": "task_arithmetic", "parameters": {"lambda": 0.50},
                                "inputs": [{"adapter": "acme/chat"}, {"adapter": "acme/code", "weight": -0.25}]}}]}
        """;

    [Fact]
    public void Yaml_and_json_say_the_same()
    {
        var (yaml, json) = (Read(Yaml), Read(Json));
        Assert.Equal(Text(json), Text(yaml));
        Assert.Equal("1.0", yaml.Notes);
        Assert.Equal("acme/mixed", yaml.Output!.Adapter);
        Assert.Equal([0, 0.5, 1], yaml.Inputs[0].Weight!.Gradient);
        Assert.Equal("mlp", yaml.Inputs[1].Weight!.Conditions[0].Filter);
        Assert.Equal(-0.25, yaml.Inputs[1].Recipe!.Inputs[1].Weight!.Number);
        Assert.Equal(Graph(yaml).RecipeDigest, Graph(json).RecipeDigest);
    }

    [Fact]
    public void What_the_service_keeps_reads_back_the_same()
    {
        var canonical = RecipeForm.Canonical(Read(Yaml), name => name + "!");
        var again = JsonSerializer.Deserialize<MergeRecipe>(Text(canonical), ApiJson.Options)!;
        Assert.Equal(Text(canonical), Text(again));
        Assert.Equal(Text(canonical), Text(RecipeForm.Canonical(again, name => name)));
        Assert.Equal(["acme/sql@3!", "acme/chat!", "acme/code!"], RecipeForm.Mentions(again).Select(m => m.Adapter));
    }

    [Fact]
    public void Saying_a_default_changes_nothing()
    {
        var brief = Read("{method: linear, inputs: [{adapter: a/b}, {adapter: a/c}]}");
        var wordy = Read("{method: linear, seed: 42, parameters: {normalize: true, lambda: 1.0}, inputs: [{adapter: a/b, weight: 1}, {weight: 1.0, adapter: a/c}]}");
        Assert.Equal(Graph(brief).RecipeDigest, Graph(wordy).RecipeDigest);
        Assert.Equal(Text(RecipeForm.Canonical(brief, n => n)), Text(RecipeForm.Canonical(wordy, n => n)));
    }

    [Theory]
    [InlineData("{method: linear, inputs: [{adapter: a/b}, {adapter: a/c, weight: 2}]}")]
    [InlineData("{method: linear, inputs: [{adapter: a/c}, {adapter: a/b}]}")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}, {adapter: a/c}], parameters: {lambda: 2}}")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}, {adapter: a/c}], rank: 4}")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}, {adapter: a/c}], rank: lossless}")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}, {adapter: a/c}], energy: 0.5}")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}, {adapter: a/c}], seed: 1}")]
    [InlineData("{method: svd, inputs: [{adapter: a/b}, {adapter: a/c}]}")]
    public void Saying_something_else_is_another_recipe(string other) =>
        Assert.NotEqual(Graph(Read("{method: linear, inputs: [{adapter: a/b}, {adapter: a/c}]}")).RecipeDigest, Graph(Read(other)).RecipeDigest);

    [Theory]
    [InlineData("method: [\n", MergeProblem.RecipeInvalid, "line 2")]
    [InlineData("- a\n- b", MergeProblem.RecipeInvalid, "$")]
    [InlineData("method: linear\nmethod: svd\ninputs: []", MergeProblem.RecipeInvalid, "line 2")]
    [InlineData("method: linear", MergeProblem.RecipeInvalid, "$")]
    [InlineData("{method: linear, inputs: [{adaptor: a/b}]}", MergeProblem.RecipeInvalid, "$.inputs[0].adaptor")]
    [InlineData("{method: linear, inputs: [{adapter: a/b, weight: []}]}", MergeProblem.RecipeInvalid, "$.inputs[0].weight")]
    [InlineData("{method: linear, inputs: [{adapter: a/b, weight: [1, {value: 2}]}]}", MergeProblem.RecipeInvalid, "$.inputs[0].weight")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}], rank: many}", MergeProblem.RecipeInvalid, "$.rank")]
    public void What_is_no_recipe_is_refused_with_its_place(string text, string code, string place)
    {
        Assert.False(RecipeReader.TryRead(text, out _, out var problem));
        Assert.Equal((code, place), (problem.Code, problem.Place));
        Assert.DoesNotContain("Marketplace.", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Aliases_may_repeat_an_input_but_not_explode()
    {
        var shared = Read("method: linear\ninputs:\n  - &a {adapter: a/b}\n  - recipe: {method: svd, inputs: [*a, *a]}");
        Assert.Equal(3, RecipeForm.Mentions(shared).Count());
        var lines = Enumerable.Range(1, 20).Select(i => $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]");
        Assert.False(RecipeReader.TryRead($"a0: &a0 [x]\n{string.Join('\n', lines)}\nmethod: linear\ninputs: []", out _, out var problem));
        Assert.Equal(MergeProblem.RecipeTooLarge, problem.Code);
        Assert.False(RecipeReader.TryRead(new string(' ', RecipeReader.MaxLength + 1), out _, out problem));
        Assert.Equal(MergeProblem.RecipeInvalid, problem.Code);
    }

    [Theory]
    [InlineData("{method: blend, inputs: [{adapter: a/b}]}", MergeProblem.MethodUnknown, "$.method")]
    [InlineData("{method: linear, inputs: []}", MergeProblem.NoInputs, "$.inputs")]
    [InlineData("{method: negate, inputs: [{adapter: a/b}, {adapter: a/c}]}", MergeProblem.InputsCount, "$.inputs")]
    [InlineData("{method: linear, inputs: [{weight: 1}]}", MergeProblem.InputInvalid, "$.inputs[0]")]
    [InlineData("{method: linear, inputs: [{adapter: a/b, recipe: {method: cat, inputs: [{adapter: a/b}]}}]}", MergeProblem.InputInvalid, "$.inputs[0]")]
    [InlineData("{method: linear, inputs: [{adapter: a/b, weight: heavy}]}", MergeProblem.WeightsNotFinite, "$.inputs[0].weight")]
    [InlineData("{method: negate, inputs: [{adapter: a/b, weight: 2}]}", MergeProblem.WeightsUnused, "$.inputs[0].weight")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}], parameters: {densty: 0.2}}", MergeProblem.ParameterUnknown, "$.parameters.densty")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}], parameters: {lambda: big}}", MergeProblem.ParameterInvalid, "$.parameters.lambda")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}], parameters: {normalize: 1}}", MergeProblem.ParameterInvalid, "$.parameters.normalize")]
    [InlineData("{method: linear, inputs: [{adapter: a/b, parameters: {lambda: 2}}]}", MergeProblem.ParameterInvalid, "$.inputs[0].parameters.lambda")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}], rank: 0}", MergeProblem.RankInvalid, "$.rank")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}], energy: 1.5}", MergeProblem.RankInvalid, "$.energy")]
    [InlineData("{method: linear, inputs: [{adapter: a/b}], energy: 0.9, rank: 3}", MergeProblem.RankInvalid, "$.energy")]
    [InlineData("{method: linear, inputs: [{recipe: {method: cat, inputs: [{adapter: a/b}], output: a/x}}]}", MergeProblem.RecipeInvalid, "$.inputs[0].recipe.output")]
    [InlineData("{method: linear, inputs: [{recipe: {method: cat, inputs: [{adapter: a/b}], notes: n}}]}", MergeProblem.NestedInvalid, "$.inputs[0].recipe.notes")]
    [InlineData("{method: linear, inputs: [{recipe: {method: blend, inputs: [{adapter: a/b}]}}]}", MergeProblem.MethodUnknown, "$.inputs[0].recipe.method")]
    public void What_can_t_be_done_is_refused_with_its_place(string text, string code, string place)
    {
        if (!RecipeReader.TryRead(text, out var recipe, out var problem))
        {
            Assert.Equal((code, place), (problem.Code, problem.Place));
            return;
        }

        Assert.Null(MergeGraph.Create(recipe, n => n, out var problems));
        Assert.Equal((code, place), (Assert.Single(problems).Code, problems[0].Place));
    }

    [Fact]
    public void Recipes_are_nested_only_so_deep()
    {
        static MergeRecipe Nest(int depth) => depth == 0 ? MergeRecipe.Over("cat", 1) : new("cat", [new(Recipe: Nest(depth - 1))]);
        Assert.NotNull(MergeGraph.Create(Nest(MergeGraph.MaxDepth - 1), n => n, out _));
        Assert.Null(MergeGraph.Create(Nest(MergeGraph.MaxDepth), n => n, out var problems));
        Assert.Equal(MergeProblem.RecipeTooLarge, Assert.Single(problems).Code);
    }

    [Fact]
    public void Every_method_tells_what_it_does_and_has_defaults_that_it_accepts()
    {
        Assert.All(MergeMethods.All, method =>
        {
            Assert.Matches("^[a-z0-9_]+$", method.Name);
            Assert.NotEmpty(method.Summary);
            Assert.InRange(method.MinInputs, 1, method.MaxInputs);
            Assert.Equal(method.Parameters.Length, method.Parameters.Select(p => p.Name).Distinct().Count());
            Assert.All(method.Parameters, p => Assert.True(p.Default is null || p.Refuse(p.Default) is null, $"{method.Name}: {p.Name}"));
            Assert.All(method.Parameters, p => Assert.NotEmpty(p.Summary));
        });
        Assert.Equal(MergeMethods.All.Length, MergeMethods.All.Select(m => m.Name).Distinct().Count());
    }

    [Fact]
    public void Every_method_parameter_and_code_is_documented()
    {
        var methods = File.ReadAllText(Path.Combine(Fixtures.Repository, "docs", "merge-methods.md"));
        Assert.All(MergeMethods.All, m => Assert.Contains($"| `{m.Name}` | {m.Summary.Replace("|", "&#124;", StringComparison.Ordinal)} |", methods, StringComparison.Ordinal));
        Assert.All(MergeMethods.All.SelectMany(m => m.Parameters), p => Assert.Contains($"| `{p.Name}` | ", methods, StringComparison.Ordinal));
        var recipes = File.ReadAllText(Path.Combine(Fixtures.Repository, "docs", "recipes.md"));
        var codes = typeof(MergeProblem).GetFields().Where(f => f.IsLiteral).Select(f => (string)f.GetRawConstantValue()!);
        Assert.All(codes, c => Assert.Contains($"`{c}`", recipes, StringComparison.Ordinal));
    }

    private static MergeRecipe Read(string text)
    {
        Assert.True(RecipeReader.TryRead(text, out var recipe, out var problem), problem?.ToString());
        return recipe;
    }

    private static MergeGraph Graph(MergeRecipe recipe)
    {
        var graph = MergeGraph.Create(recipe, n => n, out var problems);
        Assert.True(graph is not null, string.Join('\n', problems));
        return graph;
    }

    private static string Text(MergeRecipe recipe) => JsonSerializer.Serialize(recipe, ApiJson.Options);
}

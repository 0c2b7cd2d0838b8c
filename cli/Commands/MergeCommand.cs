using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace merge</c>.</summary>
internal static class MergeCommand
{
    private static readonly Argument<string[]> Inputs = new("inputs")
    {
        Description = "A recipe (a .yaml, .yml or .json file), or inputs as owner/name[@revision][=weight]; the weight is 1 if absent",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string?> Output = new("--output", "-o")
    {
        Description = "Name of the result: owner/name, or a name in your account; a recipe may say it as well",
    };

    private static readonly Option<string?> Method = new("--method", "-m") { Description = "linear if absent; `marketplace methods` tells what there is" };

    private static readonly Option<string[]> Parameters = RecipeParameters.Option();

    private static readonly Option<string?> Rank = new("--rank") { Description = "Rank of the result, or 'lossless'" };
    private static readonly Option<ulong?> Seed = new("--seed") { Description = "Seed of random masks and starts" };
    private static readonly Option<string?> Notes = new("--notes") { Description = "A line about the result" };
    private static readonly Option<bool> RefuseCarried = new("--refuse-carried") { Description = "Refuse inputs that hold heads, biases or saved modules, instead of reporting that these are not merged" };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Show the plan: path, cost, memory and size of the result, and compute nothing" };

    public static Command Create()
    {
        var command = new Command("merge", "Merge adapters of one base model into a new one, by a recipe or by options")
        {
            Inputs, Output, Method, Parameters, Rank, DerivedOptions.Energy, DerivedOptions.Dtype, Seed, Notes, RefuseCarried,
            DerivedOptions.Private, DryRun, JobOutput.NoWait,
        };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var recipe = Overridden(call, RecipeFile(call.Get(Inputs)) is { } file ? await Read(file, ct) : OfOptions(call));
        Check(recipe);
        foreach (var mention in RecipeForm.Mentions(recipe))
            call.Adapter(mention.Adapter);
        if (call.Get(Output) is null && recipe.Output is null && !call.Get(DryRun))
            throw CliException.Usage("The result needs a name: --output, or 'output' in the recipe.");
        var client = call.Connect();
        if (call.Get(Output) is { } name)
            recipe = recipe with { Output = new OutputRequest((await client.ResolveOwnName(name, ct)).ToString(), call.Get(DerivedOptions.Private)) };
        else if (call.Get(DerivedOptions.Private) && recipe.Output is { } output)
            recipe = recipe with { Output = output with { Private = true } };
        return call.Get(DryRun)
            ? MergePlanOutput.Show(call, await client.PlanMerge(recipe, ct))
            : await JobOutput.Finish(call, client, await client.RequestMerge(recipe, ct), ct);
    }

    private static string? RecipeFile(string[] inputs) =>
        inputs is [var only] && Path.GetExtension(only).ToLowerInvariant() is ".yaml" or ".yml" or ".json" ? inputs[0] : null;

    private static async Task<MergeRecipe> Read(string path, CancellationToken ct)
    {
        if (!File.Exists(path))
            throw CliException.Usage($"There is no file '{path}'.", "Give a recipe, or inputs as owner/name=weight.");
        return RecipeReader.TryRead(await File.ReadAllTextAsync(path, ct), out var recipe, out var problem)
            ? recipe
            : throw new CliException(problem.Code, ExitCode.Refused, $"{path}: {problem.Message}", "docs/recipes.md describes recipes.")
            {
                Issues = [new IssueView(problem.Code, "error", problem.Place, problem.Message)],
            };
    }

    // What the service would refuse without looking at any adapter, it need not be asked for.
    private static void Check(MergeRecipe recipe)
    {
        if (MergeGraph.Create(recipe, name => name, out var problems) is not null)
            return;
        var near = problems[0].Code == MergeProblem.MethodUnknown ? Suggestions.Nearest(recipe.Method, MergeMethods.All.Select(m => m.Name)) : null;
        throw new CliException(
            problems[0].Code, ExitCode.Refused, string.Join(' ', problems.Select(p => p.Message)),
            near is null ? "`marketplace methods` lists methods and parameters." : $"Did you mean '{near}'?")
        {
            Issues = [.. problems.Select(p => new IssueView(p.Code, "error", p.Place, p.Message))],
        };
    }

    private static MergeRecipe OfOptions(Call call)
    {
        var inputs = WeightedAdapters.Read(call, call.Get(Inputs));
        var method = call.Get(Method) ?? "linear";
        // A method without weights refuses one that is said, and only then.
        var weighted = MergeMethods.Find(method)?.Weighted ?? true;
        return new(method, [.. inputs.Select(i => weighted || i.Weight != 1 ? RecipeInput.Of(i.Adapter, i.Weight) : new RecipeInput(i.Adapter))]);
    }

    private static MergeRecipe Overridden(Call call, MergeRecipe recipe)
    {
        if (call.Get(Method) is { } method)
            recipe = recipe with { Method = method };
        foreach (var (name, value) in (call.Get(Parameters) ?? []).Select(RecipeParameters.Read))
            recipe = recipe.With(name, value);
        if (call.Get(Rank) is { } rank)
        {
            if (call.Get(DerivedOptions.Energy) is not null)
                throw CliException.Usage("--rank and --energy exclude each other.");
            recipe = recipe with { Rank = RecipeParameters.Rank(rank), Energy = null };
        }

        if (call.Get(DerivedOptions.Energy) is { } energy)
            recipe = recipe with { Energy = energy, Rank = null };
        var dtype = call.Get(DerivedOptions.Dtype)!;
        return recipe with
        {
            Dtype = dtype == MergeRecipe.AutoType ? recipe.Dtype : dtype,
            Seed = call.Get(Seed) ?? recipe.Seed,
            Notes = call.Get(Notes) ?? recipe.Notes,
            Carried = call.Get(RefuseCarried) ? CarriedPolicy.Refuse : recipe.Carried,
        };
    }
}

using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary>How the plan of a merge is shown.</summary>
internal static class MergePlanOutput
{
    public static int Show(Call call, MergePlanView plan)
    {
        call.Terminal.Result(plan, console =>
        {
            var steps = Tables.Create("step", "method", "of", "path", "work");
            foreach (var (step, index) in plan.Steps.Select((step, index) => (step, index)))
                steps.Row($"{index + 1}", step.Method, string.Join('\n', step.Inputs), step.Path, Units.Flops(step.Flops));
            console.Write(steps);

            var grid = new Grid().AddColumn().AddColumn();
            void Line(string name, string value) => grid.AddRow(new Text(name, new Style(decoration: Decoration.Bold)), new Text(value));
            Line("recipe", plan.RecipeDigest);
            Line("base model", plan.BaseModel);
            Line("result", $"{plan.Modules} modules, rank up to {plan.Rank}, up to {Units.Bytes(plan.ResultBytes)}");
            Line("memory", $"{Units.Bytes(plan.MemoryBytes)} for each module that is computed");
            foreach (var (tensor, index) in plan.NotMerged.Select((tensor, index) => (tensor, index)).Take(10))
                Line(index == 0 ? "not merged" : "", tensor);
            if (plan.NotMerged.Count > 10)
                Line("", $"… and {plan.NotMerged.Count - 10} more");
            foreach (var (note, index) in plan.Notes.Select((note, index) => (note, index)))
                Line(index == 0 ? "notes" : "", note);
            console.Write(grid);
        });
        return ExitCode.Ok;
    }
}

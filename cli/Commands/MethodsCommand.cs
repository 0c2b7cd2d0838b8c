using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace methods</c>: the catalogue that recipes choose from, without a service.</summary>
internal static class MethodsCommand
{
    private static readonly Argument<string?> Method = new("method") { Description = "One method, with its parameters", Arity = ArgumentArity.ZeroOrOne };

    public static Command Create()
    {
        var command = new Command("methods", "List the merge methods, or the parameters of one") { Method };
        command.Does(Run);
        return command;
    }

    private static Task<int> Run(Call call, CancellationToken ct)
    {
        if (call.Get(Method) is not { } name)
        {
            call.Terminal.Result(new ListResponse<MergeMethodView>([.. MergeMethods.All.Select(MergeMethodView.Of)]), console =>
            {
                var table = Tables.Create("method", "class", "inputs", "what it does");
                foreach (var method in MergeMethods.All.Select(MergeMethodView.Of))
                    table.Row(method.Name, method.Class, method.MinInputs == method.MaxInputs ? $"{method.MinInputs}" : $"{method.MinInputs}–{method.MaxInputs}", method.Summary);
                console.Write(table);
            });
            return Task.FromResult(ExitCode.Ok);
        }

        if (MergeMethods.Find(name) is not { } found)
        {
            var near = Suggestions.Nearest(name, MergeMethods.All.Select(m => m.Name));
            throw CliException.Usage($"There is no method '{name}'.", near is null ? "`marketplace methods` lists them." : $"Did you mean '{near}'?");
        }

        call.Terminal.Result(MergeMethodView.Of(found), console => Show(console, MergeMethodView.Of(found)));
        return Task.FromResult(ExitCode.Ok);
    }

    private static void Show(IAnsiConsole console, MergeMethodView method)
    {
        console.WriteLine($"{method.Name} ({method.Class}): {method.Summary}");
        console.WriteLine($"rank if none is given: {Rank(method.DefaultRank)}; {(method.Weighted ? "inputs have weights" : "inputs have no weights")}");
        if (method.Parameters.Count == 0)
            return;
        var table = Tables.Create("parameter", "values", "default", "what it does");
        foreach (var parameter in method.Parameters)
            table.Row(parameter.Name, parameter.Values + (parameter.PerInput ? ", also per input" : ""), parameter.Default?.ToString().Trim('"'), parameter.Summary);
        console.Write(table);
    }

    private static string Rank(string rule) => rule switch
    {
        "largestInput" => "the largest among the inputs",
        "asIs" => "that of the factors as they come out",
        _ => "as many as lose nothing",
    };
}

using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Marketplace.Core.Composition;
using Marketplace.Core.Merges;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace compose</c>.</summary>
internal static class ComposeCommand
{
    private static readonly Argument<string[]> Inputs = new("inputs") { Description = "Adapters of one base model: owner/name[@revision]", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string?> Set = new("--set") { Description = "The evaluation set to learn from: owner/name[@revision]" };
    private static readonly Option<string?> Validation = new("--validation") { Description = "The set that decides when to stop; a part of the first one if absent" };
    private static readonly Option<int?> Examples = new("--examples") { Description = "Learn from so many items of the set, drawn at random" };
    private static readonly Option<string?> Output = new("--output", "-o") { Description = "Name of the result: owner/name, or a name in your account" };
    private static readonly Option<string> Method = new("--method", "-m") { Description = "atlas, scalearn, axis or search", DefaultValueFactory = _ => CompositionMethods.Atlas };
    private static readonly Option<string[]> Parameters = RecipeParameters.Option();
    private static readonly Option<string?> Rank = new("--rank") { Description = "Rank of the result, or 'lossless'" };
    private static readonly Option<ulong?> Seed = new("--seed") { Description = "Seed of starts, samples and order" };
    private static readonly Option<string?> Notes = new("--notes") { Description = "A line about the result" };
    private static readonly Option<bool> Methods = new("--methods") { Description = "List the methods and their parameters instead" };

    public static Command Create()
    {
        var command = new Command("compose", "Learn from examples how adapters are combined, and publish the result as one adapter")
        {
            Inputs, Set, Validation, Examples, Output, Method, Parameters, Rank, DerivedOptions.Energy, DerivedOptions.Dtype, Seed, Notes, DerivedOptions.Private, Methods, JobOutput.NoWait,
        };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        if (call.Get(Methods))
            return List(call);
        if (call.Get(Inputs) is not { Length: > 0 } inputs || call.Get(Set) is not { } training || call.Get(Output) is not { } output)
            throw CliException.Usage("A composition has inputs, a set to learn from and a name.", "Write marketplace compose owner/one owner/two --set owner/examples -o name.");
        if (call.Get(Rank) is not null && call.Get(DerivedOptions.Energy) is not null)
            throw CliException.Usage("--rank and --energy exclude each other.");
        var parameters = (call.Get(Parameters) ?? []).Select(RecipeParameters.Read).ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal);
        if (!CompositionSettings.TryCreate(call.Get(Method)!, parameters, call.Get(Seed), out _, out var problems))
        {
            throw new CliException(problems[0].Code, ExitCode.Refused, string.Join(' ', problems.Select(p => p.Message)), "`marketplace compose --methods` lists methods and parameters.")
            {
                Issues = [.. problems.Select(p => new IssueView(p.Code, "error", p.Place, p.Message))],
            };
        }

        string[] adapters = [.. inputs.Select(i => call.Adapter(i).ToString())];
        var client = call.Connect();
        var request = new CompositionRequest(
            call.Get(Method)!, adapters, training, new OutputRequest((await client.ResolveOwnName(output, ct)).ToString(), call.Get(DerivedOptions.Private)),
            parameters.Count > 0 ? parameters : null, call.Get(Validation), call.Get(Examples), call.Get(Rank) is { } rank ? RecipeParameters.Rank(rank) : null, call.Get(DerivedOptions.Energy),
            call.Get(DerivedOptions.Dtype)!, call.Get(Seed), call.Get(Notes));
        return await JobOutput.Finish(call, client, await client.RequestComposition(request, ct), ct);
    }

    private static int List(Call call)
    {
        var views = CompositionMethods.All.Select(m => new CompositionMethodView(m.Name, m.Summary, [.. m.Parameters.Select(MethodParameterView.Of)])).ToList();
        call.Terminal.Result(new ListResponse<CompositionMethodView>(views), console =>
        {
            foreach (var method in views)
            {
                console.WriteLine($"{method.Name}: {method.Summary}");
                var table = Tables.Create("parameter", "values", "default", "what it does");
                foreach (var parameter in method.Parameters)
                    table.Row(parameter.Name, parameter.Values, parameter.Default?.ToString() ?? "", parameter.Summary);
                console.Write(table);
            }
        });
        return ExitCode.Ok;
    }
}

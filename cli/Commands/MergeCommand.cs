using System.CommandLine;
using Marketplace.Core.Merges;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace merge</c>.</summary>
internal static class MergeCommand
{
    private static readonly Argument<string[]> Inputs = new("inputs")
    {
        Description = "Two or more of owner/name[@revision][=weight]; the weight is 1 if absent",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string> Method = new Option<string>("--method", "-m")
    {
        Description = "linear (weighted sum), cat (exact, ranks add up) or svd (truncated)",
        DefaultValueFactory = _ => "linear",
    }.AcceptOnlyFromAmong("linear", "cat", "svd");

    private static readonly Option<bool?> Normalize = new("--normalize") { Description = "Divide by the sum of weights; linear does if absent, the others don't" };

    public static Command Create()
    {
        var command = new Command("merge", "Merge adapters of one base model into a new one")
        {
            Inputs, DerivedOptions.Output, Method, DerivedOptions.Rank, DerivedOptions.Energy, Normalize,
            DerivedOptions.Dtype, DerivedOptions.Private, JobOutput.NoWait,
        };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var inputs = WeightedAdapters.Read(call, call.Get(Inputs));
        var client = call.Connect();
        var output = await DerivedOptions.ReadOutput(call, client, ct);
        var request = new MergeRecipe(
            call.Get(Method)!, [.. inputs.Select(i => RecipeInput.Of(i.Adapter, i.Weight))], output,
            Rank: RecipeRank.Of(call.Get(DerivedOptions.Rank)), Energy: call.Get(DerivedOptions.Energy), Dtype: call.Get(DerivedOptions.Dtype)!);
        if (call.Get(Normalize) is { } normalize)
            request = request.With("normalize", RecipeValue.Of(normalize));
        return await JobOutput.Finish(call, client, await client.RequestMerge(request, ct), ct);
    }
}

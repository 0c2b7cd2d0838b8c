using System.CommandLine;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace subtract</c>.</summary>
internal static class SubtractCommand
{
    private static readonly Argument<string> Target = new("target") { Description = "The task adapter: owner/name[@revision]" };

    private static readonly Option<string[]> General = new("--general", "-g")
    {
        Description = "General-knowledge adapters: owner/name[@revision][=weight]",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<double> Beta = new("--beta") { Description = "How much is subtracted", DefaultValueFactory = _ => 1 };

    public static Command Create()
    {
        var command = new Command("subtract", "Remove general knowledge from a task adapter (GenKnowSub)")
        {
            Target, General, DerivedOptions.Output, Beta, DerivedOptions.Rank, DerivedOptions.Energy,
            DerivedOptions.Dtype, DerivedOptions.Private, JobOutput.NoWait,
        };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var target = call.Adapter(call.Get(Target)).ToString();
        var general = WeightedAdapters.Read(call, call.Get(General)!);
        var client = call.Connect();
        var output = await DerivedOptions.ReadOutput(call, client, ct);
        var request = new SubtractionRequest(
            target, general, output, call.Get(Beta), call.Get(DerivedOptions.Rank), call.Get(DerivedOptions.Energy), call.Get(DerivedOptions.Dtype)!);
        return await JobOutput.Finish(call, client, await client.RequestSubtraction(request, ct), ct);
    }
}

using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace subtract</c>.</summary>
internal static class SubtractCommand
{
    private static readonly Argument<string[]> Targets = new("targets")
    {
        Description = "The task adapters: owner/name[@revision]; one with --output, any number with --collection",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string[]> General = new("--general", "-g")
    {
        Description = "General-knowledge adapters: owner/name[@revision][=weight]",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<string?> Output = new("--output", "-o") { Description = "Name of the residual of one target: owner/name, or a name in your account" };
    private static readonly Option<string?> Library = new("--library") { Description = "Instead of targets: the trained adapters of this base model, org/name" };
    private static readonly Option<bool> Mine = new("--mine") { Description = "With --library: your private adapters too" };
    private static readonly Option<bool> Derived = new("--derived") { Description = "With --library: adapters that were merged or subtracted too" };
    private static readonly Option<string?> Cluster = new("--cluster") { Description = "Instead of targets: the members of a cluster, as SNAPSHOT:NAME" };

    private static readonly Option<string> Mode = new Option<string>("--mode")
    {
        Description = "exact (ΔW minus β times the mean of the general ΔW), project (its directions removed) or factorwise (A and B apart, as PEFT does)",
        DefaultValueFactory = _ => SubtractionModes.Exact,
    }.AcceptOnlyFromAmong(SubtractionModes.Exact, SubtractionModes.Project, SubtractionModes.Factorwise);

    private static readonly Option<string?> Side = new Option<string?>("--side") { Description = "Of a projection: input (what a target reads, the default), output (what it writes) or both" }
        .AcceptOnlyFromAmong("input", "output", "both");

    private static readonly Option<double> Beta = new("--beta") { Description = "How much is subtracted", DefaultValueFactory = _ => 1 };

    public static Command Create()
    {
        var command = new Command("subtract", "Remove general knowledge from task adapters (GenKnowSub)")
        {
            Targets, General, Output, Library, Mine, Derived, Cluster, CollectionOptions.Collection, CollectionOptions.Pattern, Mode, Side, Beta,
            DerivedOptions.Rank, DerivedOptions.Energy, DerivedOptions.Dtype, DerivedOptions.Private, JobOutput.NoWait,
        };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        string[] targets = [.. call.Get(Targets).Select(t => call.Adapter(t).ToString())];
        var general = WeightedAdapters.Read(call, call.Get(General)!);
        if (call.Get(DerivedOptions.Rank) is not null && call.Get(DerivedOptions.Energy) is not null)
            throw CliException.Usage("--rank and --energy exclude each other.");
        if (new[] { targets.Length > 0, call.Get(Library) is not null, call.Get(Cluster) is not null }.Count(x => x) != 1)
            throw CliException.Usage("Say what to subtract from: targets, --library or --cluster.");
        if (call.Get(Library) is null && (call.Get(Mine) || call.Get(Derived)))
            throw CliException.Usage("--mine and --derived belong to --library.");
        if (call.Get(Output) is not { } output)
            return await Batch(call, targets, general, ct);
        if (targets.Length != 1 || call.Get(CollectionOptions.Collection) is not null || call.Get(CollectionOptions.Pattern) is not null)
            throw CliException.Usage("--output names the residual of one target; many need --collection instead.");
        var client = call.Connect();
        var request = new SubtractionRequest(
            targets[0], general, new OutputRequest((await client.ResolveOwnName(output, ct)).ToString(), call.Get(DerivedOptions.Private)), call.Get(Beta),
            call.Get(DerivedOptions.Rank), call.Get(DerivedOptions.Energy), call.Get(DerivedOptions.Dtype)!, call.Get(Mode)!, call.Get(Side));
        return await JobOutput.Finish(call, client, await client.RequestSubtraction(request, ct), ct);
    }

    private static async Task<int> Batch(Call call, string[] targets, IReadOnlyList<WeightedAdapter> general, CancellationToken ct)
    {
        if (call.Get(CollectionOptions.Collection) is null)
            throw CliException.Usage(targets.Length == 1 ? "The residual needs a name: --output, or --collection for one of many." : "Many results need a collection: --collection.");
        var cluster = call.Get(Cluster) is { } text ? ReadCluster(text) : null;
        var client = call.Connect();
        var request = new SubtractionBatchRequest(
            general, await CollectionOptions.Read(call, client, ct), targets.Length > 0 ? targets : null,
            call.Get(Library) is { } library ? new LibraryTargets(library, call.Get(Mine) ? "mine" : "public", call.Get(Derived)) : null, cluster,
            call.Get(Mode)!, call.Get(Side), call.Get(Beta), call.Get(DerivedOptions.Rank), call.Get(DerivedOptions.Energy), call.Get(DerivedOptions.Dtype)!);
        return await JobOutput.Finish(call, client, await client.RequestSubtractionBatch(request, ct), ct);
    }

    private static ClusterTargets ReadCluster(string text) => text.Split(':') is [{ Length: > 0 } snapshot, { Length: > 0 } name]
        ? new(snapshot, name) : throw CliException.Usage($"'{text}' does not name a cluster.", "Write SNAPSHOT:NAME, such as the snapshot and a cluster that `marketplace cluster --latest` shows.");
}

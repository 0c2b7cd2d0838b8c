using System.CommandLine;
using System.Globalization;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace router</c>.</summary>
internal static class RouterCommand
{
    private static readonly Argument<string[]> Inputs = new("inputs") { Description = "Adapters of one base model: owner/name[@revision]", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string?> Collection = new("--collection") { Description = "Instead: the members of a collection, owner/name" };

    private static readonly Option<string[]> General = new("--general", "-g")
    {
        Description = "General-knowledge adapters to subtract first: owner/name[@revision][=weight]",
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<double> Beta = new("--beta") { Description = "How much is subtracted", DefaultValueFactory = _ => 1 };
    private static readonly Option<string> Mode = new Option<string>("--mode") { Description = "Subtract from ΔW (exact), or from A and B as PEFT does (factorwise)", DefaultValueFactory = _ => "exact" }
        .AcceptOnlyFromAmong("exact", "factorwise");

    private static readonly Option<string[]> Tie = new("--tie") { Description = "Modules routed jointly, such as q_proj,k_proj,v_proj; may be repeated" };
    private static readonly Option<int?> TopK = new("--top-k") { Description = "How many adapters share a token; 4 if absent, or 3 after a subtraction" };
    private static readonly Option<double?> Temperature = new("--temperature") { Description = "Divides the logits; smaller is sharper" };
    private static readonly Option<bool> MergeBefore = new("--merge-before") { Description = "Note that factors are to be mixed before they are applied, as the paper's code does" };
    private static readonly Option<bool> UnitInputs = new("--unit-inputs") { Description = "Divide tokens by their norm" };
    private static readonly Option<bool> Private = new("--private") { Description = "Only you see the router" };
    private static readonly Option<string?> Name = new("--name") { Description = "A line that says what it is for" };
    private static readonly Option<string?> Folder = new("--output", "-o") { Description = "Fetch prototypes.safetensors and router.json into this folder", HelpName = "folder" };

    private static readonly Argument<string> Id = new("id") { Description = "The router's id" };
    private static readonly Argument<string> File = new("file") { Description = "Hidden states by module: .safetensors, or JSON with inputs or logits" };
    private static readonly Option<bool> Average = new("--average") { Description = "The mean of each adapter over the tokens, also as a recipe" };
    private static readonly Option<bool> Logits = new("--logits") { Description = "The tensors of a .safetensors file are products with the prototypes" };
    private static readonly Option<string?> Recipe = new("--recipe") { Description = "Write the means as a recipe that `marketplace merge` takes into this file; means --average", HelpName = "file" };

    public static Command Create()
    {
        var export = new Command("export", "Compute the prototypes of a set of adapters")
        {
            Inputs, Collection, General, Beta, Mode, Tie, TopK, Temperature, MergeBefore, UnitInputs, Private, Name, Folder, JobOutput.NoWait,
        };
        export.Does(Export);
        var show = new Command("show", "Show a router, or fetch its files") { Id, Folder };
        show.Does(ShowOne);
        var route = new Command("route", "Say which adapters take which tokens") { Id, File, TopK, Temperature, Average, Logits, Recipe };
        route.Does(RouterRoute.Run(Id, File, TopK, Temperature, Average, Logits, Recipe));
        return new Command("router", "Route tokens among adapters by their prototypes (Arrow)") { export, show, route };
    }

    private static async Task<int> Export(Call call, CancellationToken ct)
    {
        string[] inputs = [.. call.Get(Inputs).Select(text => call.Adapter(text).ToString())];
        if (inputs.Length == 0 == call.Get(Collection) is null)
            throw CliException.Usage("A router is made of adapters or of a collection.", "Write marketplace router export owner/one owner/two, or --collection owner/name.");
        var general = call.Get(General) is { Length: > 0 } given ? WeightedAdapters.Read(call, given) : null;
        var client = call.Connect();
        var request = new RouterRequest(
            inputs.Length == 0 ? null : inputs, call.Get(Collection), general, call.Get(Beta), call.Get(Mode)!,
            call.Get(Tie) is { Length: > 0 } ties ? [.. ties.Select(t => t.Split(',', StringSplitOptions.TrimEntries))] : null,
            call.Get(TopK), call.Get(Temperature) ?? 1, call.Get(MergeBefore) ? "mergeBefore" : "mergeAfter", call.Get(UnitInputs), call.Get(Private), call.Get(Name));
        var job = await client.RequestRouter(request, ct);
        if (!call.Get(JobOutput.NoWait))
            job = await JobOutput.Wait(call.Terminal, client, job, ct);
        return job is { Status: "succeeded", Result: { } result }
            ? await Finish(call, client, ApiConnection.Parse<RouterResult>(result.GetRawText())!.RouterId, ct)
            : await JobOutput.Finish(call, client, job, ct);
    }

    private static Task<int> ShowOne(Call call, CancellationToken ct) => Finish(call, call.Connect(), call.Get(Id), ct);

    private static async Task<int> Finish(Call call, MarketplaceClient client, string id, CancellationToken ct)
    {
        var router = await client.GetRouter(id, ct);
        if (call.Get(Folder) is { } folder)
        {
            Directory.CreateDirectory(folder);
            foreach (var file in router.Files)
                await client.DownloadRouterFile(router, file, Path.Combine(folder, Path.GetFileName(file.Name)), ct);
            call.Terminal.Say($"Fetched into {folder}.");
        }

        call.Terminal.Result(router, console => Show(console, router));
        return ExitCode.Ok;
    }

    private static void Show(IAnsiConsole console, RouterView router)
    {
        var table = Tables.Create("row", "adapter", "");
        foreach (var (expert, index) in router.Experts.Select((expert, index) => (expert, index)))
            table.Row($"{index}", Tables.Name(expert), "");
        foreach (var general in router.General)
            table.Row("", Tables.Name(general.Version), $"subtracted, weight {Units.Number(general.Weight)}");
        console.Write(table);
        if (router.General.Count > 0)
            console.WriteLine($"subtracted: β {Units.Number(router.Beta)}, {router.Mode}");
        console.WriteLine($"{router.Rows} rows of coefficients for {router.Modules} modules; top {router.TopK}, temperature {Units.Number(router.Temperature)}, {router.Combination}{(router.UnitInputs ? ", unit inputs" : "")}");
        console.WriteLine($"prototypes: {router.Degenerate} degenerate, {router.Missing} missing, {router.Zero} zero");
        foreach (var left in router.LeftOut)
            console.WriteLine($"left out: {left.Module}: {left.Reason}");
        foreach (var file in router.Files)
            console.WriteLine($"{file.Name} {Units.Bytes(file.Size)} {file.Sha256}");
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"router {router.Id} of {router.Owner}{(router.Private ? ", private" : "")}{(router.Name is { } name ? $": {name}" : "")}"));
    }
}

using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Algebra;
using Marketplace.Core.Api;
using Marketplace.Core.Extraction;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary>What the commands that work on whole models share: their options, opening models, and how they report.</summary>
internal static class ExtractionOutput
{
    public static readonly Option<string> Tuned = Folder("--tuned", "Folder of the fine-tuned model");

    public static readonly Option<string> Output = Folder("--output", "Folder for the result; created if absent");

    public static readonly Option<int?> Rank = new("--rank") { Description = "At most this rank in each module; 128 if absent" };

    public static readonly Option<double?> Energy = new("--energy") { Description = "The smallest rank in each module that keeps this share of |ΔW|², such as 0.99" };

    public static readonly Option<string?> BaseName = new("--base-name") { Description = "Name of the base model for the adapter's configuration: owner/name", HelpName = "owner/name" };

    public static readonly Option<bool> IncludeEmbeddings = new("--include-embeddings") { Description = "Embeddings and output head, too; servers refuse such adapters" };

    public static readonly Option<double> SkipBelow = new("--skip-below") { Description = "Leave modules alone that changed by a smaller share of their norm, such as 0.001" };

    public static readonly Option<bool> Strict = new("--strict") { Description = "Refuse where a change can't be held by a LoRA (norms, biases, other shapes), instead of naming it" };

    public static readonly Option<string> Dtype = new Option<string>("--dtype") { Description = "F32, BF16 or F16", DefaultValueFactory = _ => "F32" }
        .AcceptOnlyFromAmong("F32", "BF16", "F16");

    public static Option<string> Folder(string name, string description) => new(name) { Description = description, Required = true, HelpName = "folder" };

    /// <summary>Opens a model, or ends the command with what is wrong with it.</summary>
    public static BaseWeights Open(string folder)
    {
        if (!Directory.Exists(folder))
            throw CliException.Usage($"There is no folder '{folder}'.");
        return BaseWeights.TryOpen(folder, out var weights, out var problems)
            ? weights
            : throw Refused($"'{folder}' can't be used as a model.", problems.Select(p => (p.Code, p.Message, p.Tensor ?? p.File)));
    }

    /// <summary>The options of an extraction for a base that lies in <paramref name="baseFolder"/>.</summary>
    public static ExtractionOptions Read(Call call, string baseFolder)
    {
        if (call.Get(Rank) is not null && call.Get(Energy) is not null)
            throw CliException.Usage("--rank and --energy exclude each other.");
        // A folder's own name says more than nothing, and publishing asks what it stands for.
        var name = call.Get(BaseName) ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(baseFolder)));
        var options = new ExtractionOptions(
            name, new RankPolicy(call.Get(Rank), call.Get(Energy)), call.Get(Rank) ?? 128, Enum.Parse<TensorType>(call.Get(Dtype)!),
            call.Get(IncludeEmbeddings), call.Get(SkipBelow), call.Get(Strict));
        return options.Invalid is { } reason ? throw CliException.Usage(reason) : options;
    }

    /// <summary>Ends the command if options of an extraction are given where <paramref name="instead"/> asks for something else.</summary>
    public static void RefuseWith(Call call, string instead)
    {
        var given = call.Get(Rank) is not null || call.Get(Energy) is not null || call.Get(BaseName) is not null || call.Get(SkipBelow) != 0;
        if (given)
            throw CliException.Usage($"{instead} makes no adapter: --rank, --energy, --base-name and --skip-below don't go with it.");
    }

    /// <summary>Makes the folder for a result that is not there yet.</summary>
    public static string CreateOutput(Call call)
    {
        var folder = call.Get(Output)!;
        if (Directory.Exists(folder) && Directory.EnumerateFiles(folder).Any(f => Path.GetFileName(f) is "adapter_config.json" || f.EndsWith(".safetensors", StringComparison.Ordinal)))
            throw CliException.Usage($"'{folder}' already holds an adapter or weights.", "Name a folder that is empty or does not exist.");
        Directory.CreateDirectory(folder);
        return folder;
    }

    /// <summary>Writes an adapter and reads it back.</summary>
    public static void Save(ServingExport export, string folder)
    {
        export.Save(folder);
        using var written = AdapterReader.Open(folder);
        if (export.Check(written) is { IsEmpty: false } differing)
            throw Refused("What was written reads back differently.", differing.Select(p => (p.Code, p.Message, p.Module)));
    }

    /// <summary>Ends the command: the code of the first problem, and all of them as a list.</summary>
    public static CliException Refused(string message, IEnumerable<(string Code, string Message, string? Place)> problems)
    {
        List<IssueView> issues = [.. problems.Select(p => new IssueView(p.Code, "error", p.Place, p.Message))];
        return new(issues[0].Code, ExitCode.Refused, message) { Issues = issues };
    }

    /// <summary>The same for problems of an extraction.</summary>
    public static CliException Refused(string message, IEnumerable<ExtractionProblem> problems) =>
        Refused(message, problems.Select(p => (p.Code, p.Message, p.Tensor)));

    /// <summary>Extracted modules as a table.</summary>
    public static void Show(IAnsiConsole console, ExtractionReport report)
    {
        var table = Tables.Create("module", "shape", "rank", "|ΔW|", "|ΔW| ∕ |W₀|", "energy kept", "rounds");
        foreach (var m in report.Modules)
        {
            var rounds = m.Iterations == 0 ? "exact" : m.Converged ? $"{m.Iterations}" : $"{m.Iterations}, not settled";
            table.Row(m.Module, $"{m.Out}×{m.In}", $"{m.Rank}", Units.Scientific(m.Norm), Share(m.RelativeNorm), $"{100 * m.KeptEnergy:0.00} %", rounds);
        }

        console.Write(table);
    }

    /// <summary>What is not in the result, as a table.</summary>
    public static void Show(IAnsiConsole console, IReadOnlyCollection<LeftOut> leftOut)
    {
        if (leftOut.Count == 0)
            return;
        var table = Tables.Create("not in the result", "why", "change", "");
        foreach (var l in leftOut)
            table.Row(l.Tensor, l.Reason, Share(l.RelativeNorm), l.Message);
        console.Write(table);
    }

    public static string Share(double? share) => share is { } s ? Units.Scientific(s) : "";
}

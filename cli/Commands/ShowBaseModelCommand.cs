using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace base-models show</c>.</summary>
internal static class ShowBaseModelCommand
{
    private static readonly Argument<string> Id = new("base-model") { Description = "org/name, or an alias of that form" };
    private static readonly Option<string?> Version = new("--registration") { Description = "Number or digest of a registration; the newest if absent" };

    public static Command Create()
    {
        var command = new Command("show", "Show the files that a base model was registered with") { Id, Version };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        if (!AdapterId.TryParse(call.Get(Id), out var id))
            throw CliException.Usage($"'{call.Get(Id)}' is not of the form org/name.", "Files are registered under names of that form.");
        var weights = await call.Connect().GetBaseModelWeights(id, call.Get(Version), ct);
        call.Terminal.Result(weights, console =>
        {
            console.WriteLine($"{weights.BaseModel}, registration {weights.Number} of {Units.Time(weights.CreatedAt)}: {weights.Architecture}, {Units.Bytes(weights.Size)}{(weights.HasTokenizer ? "" : ", no tokenizer")}");
            console.WriteLine($"digest {weights.Digest}{(weights.Stored ? "" : ", bytes are missing from storage")}");
            if (weights.Message is { Length: > 0 } message)
                console.WriteLine(message);
            var files = Tables.Create("file", "size", "sha256");
            foreach (var file in weights.Files)
                files.Row(file.Path, Units.Bytes(file.Size), file.Sha256);
            console.Write(files);
            if (weights.Registrations.Count < 2)
                return;
            var all = Tables.Create("registration", "registered", "architecture", "size", "digest");
            foreach (var registration in weights.Registrations)
                all.Row($"{registration.Number}", Units.Time(registration.CreatedAt), registration.Architecture, Units.Bytes(registration.Size), registration.Digest);
            console.Write(all);
        });
        return ExitCode.Ok;
    }
}

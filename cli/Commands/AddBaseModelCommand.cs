using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Cli.Publishing;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace base-models add</c>.</summary>
internal static class AddBaseModelCommand
{
    private static readonly Argument<string> Directory = new("folder") { Description = "The model's folder, as transformers' save_pretrained writes it" };
    private static readonly Option<string> Id = new("--id") { Description = "org/name, as adapters name it in their configuration", Required = true };
    private static readonly Option<string?> Message = new("--message") { Description = "A line about the files" };
    private static readonly Option<bool> NoLocalCheck = new("--no-local-check") { Description = "Leave validation to the service" };

    public static Command Create()
    {
        var command = new Command("add", "Register a base model's files for everybody; needs an admin key, which a local stack's user has") { Directory, Id, Message, NoLocalCheck };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        if (!AdapterId.TryParse(call.Get(Id), out var id))
            throw CliException.Usage($"'{call.Get(Id)}' is not of the form org/name.", "A model known by one word is registered under such a name; 'base-models confirm WORD org/name --everybody' makes the word an alias.");
        var folder = PublishFolder.OpenBaseModel(call.Get(Directory));
        if (!call.Get(NoLocalCheck))
            CheckLocally(folder);
        var client = call.Connect(admin: true);
        call.Terminal.Say($"Registering {folder.Files.Count} files, {Units.Bytes(folder.TotalBytes)}, as {id}.");
        folder = await ProgressBars.Run(call.Terminal, bytes: true, bars => folder.Hash(bars.Add("hashing", folder.TotalBytes), ct));
        var (status, resumed) = await new AdapterPublisher(client, call.Terminal).Register(id, folder, call.Get(Message), ct);
        call.Terminal.Result(
            new Output(status.State, status.Adapter, status.Version?.Number, status.Version?.Id, status.Issues ?? [], status.Code, status.Detail, resumed),
            console =>
            {
                if (status.Issues is { Count: > 0 } issues)
                    console.Write(Tables.Issues(issues));
                console.MarkupLine(status is { State: "published", Version: { } version }
                    ? $"[green]registered[/] {Markup.Escape(status.Adapter)}, registration {version.Number} [grey]({version.Id})[/]"
                    : $"[red]{Markup.Escape(status.State)}[/] {Markup.Escape($"{status.Adapter} {status.Detail}")}");
            });
        return status.State == "published" ? ExitCode.Ok : ExitCode.Refused;
    }

    private static void CheckLocally(PublishFolder folder)
    {
        var inspection = BaseModelInspection.OfFolder(folder.Directory);
        if (inspection.Finish() is { IsEmpty: false } problems)
        {
            throw new CliException("invalid-base-model", ExitCode.Refused, $"{folder.Directory} would be refused, so nothing was sent.",
                "Mend it, or leave the verdict to the service with --no-local-check.")
            { Issues = [.. problems.Select(p => new IssueView(p.Code, "error", p.Tensor ?? p.File, p.Message))] };
        }
    }

    private sealed record Output(
        string State, string BaseModel, int? Number, string? Digest, IReadOnlyList<IssueView> Issues, string? Code, string? Detail, long ResumedBytes);
}

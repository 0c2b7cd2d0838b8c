using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Cli.Publishing;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace publish</c>.</summary>
internal static class PublishCommand
{
    private static readonly Argument<string> Directory = new("folder") { Description = "The adapter's folder, as PEFT's save_pretrained writes it" };

    private static readonly Argument<string?> Name = new("name")
    {
        Description = "owner/name, or a name in your account; the folder's name if absent",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<bool> Private = new("--private") { Description = "Only you may see it; counts when the adapter is new" };
    private static readonly Option<string?> Message = new("--message") { Description = "A line about the version" };
    private static readonly Option<string?> Parent = new("--expected-parent") { Description = "Refuse unless this version id is current" };
    private static readonly Option<bool> NoLocalCheck = new("--no-local-check") { Description = "Leave validation to the service" };

    public static Command Create()
    {
        var command = new Command("publish", "Validate a folder, send it, and wait for the verdict") { Directory, Name, Private, Message, Parent, NoLocalCheck };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var folder = PublishFolder.Open(call.Get(Directory));
        if (!call.Get(NoLocalCheck))
            CheckLocally(folder);
        var client = call.Connect();
        var name = call.Get(Name) ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder.Directory)));
        var adapter = await client.ResolveOwnName(name, ct);
        call.Terminal.Say($"Publishing {folder.Files.Count} files, {Units.Bytes(folder.TotalBytes)}, as {adapter}.");
        folder = await ProgressBars.Run(call.Terminal, bytes: true, bars => folder.Hash(bars.Add("hashing", folder.TotalBytes), ct));
        var options = new PublishOptions(call.Get(Private), call.Get(Message), call.Get(Parent));
        var outcome = await new AdapterPublisher(client, call.Terminal).Publish(adapter, folder, options, ct);
        var novelty = outcome.Published ? await NoveltyOutput.Find(client, adapter, ct) : null;
        call.Terminal.Result(
            new PublishOutput(outcome.Status.State, outcome.Status.Adapter, outcome.Status.Version, outcome.Status.Issues ?? [], outcome.Status.Code,
                outcome.Status.Detail, outcome.ResumedBytes, novelty),
            console =>
            {
                Show(console, outcome.Status);
                if (novelty is not null)
                    console.WriteLine(NoveltyOutput.Line(novelty));
            });
        return outcome.Published ? ExitCode.Ok : ExitCode.Refused;
    }

    private static void CheckLocally(PublishFolder folder)
    {
        var issues = LocalValidation.Run(folder);
        if (issues.Any(i => i.Severity == "error"))
        {
            throw new CliException("invalid-adapter", ExitCode.Refused, $"{folder.Directory} would be refused, so nothing was sent.",
                "Mend it, or leave the verdict to the service with --no-local-check.")
            { Issues = issues };
        }
    }

    /// <summary>A verdict for people.</summary>
    private static void Show(IAnsiConsole console, UploadStatus status)
    {
        if (status.Issues is { Count: > 0 } issues)
            console.Write(Tables.Issues(issues));
        console.MarkupLine(status switch
        {
            { State: "published", Version: { } version } => $"[green]published[/] {Markup.Escape(Tables.Name(version))} [grey]({version.Id})[/]",
            { State: "rejected" } => $"[red]refused[/] {Markup.Escape(status.Adapter)}",
            _ => $"[red]{Markup.Escape(status.State)}[/] {Markup.Escape($"{status.Adapter}: {status.Detail} ({status.Code})")}",
        });
    }

    private sealed record PublishOutput(
        string State, string Adapter, VersionReference? Version, IReadOnlyList<IssueView> Issues, string? Code, string? Detail, long ResumedBytes,
        NoveltyView? Novelty);
}

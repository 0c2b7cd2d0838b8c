using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Cli.Publishing;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace validate</c>.</summary>
internal static class ValidateCommand
{
    private static readonly Argument<string> Directory = new("folder") { Description = "The adapter's folder, as PEFT's save_pretrained writes it" };

    public static Command Create()
    {
        var command = new Command("validate", "Check a folder here, without a service, as publishing it would") { Directory };
        command.Does((call, _) => Task.FromResult(Run(call)));
        return command;
    }

    private static int Run(Call call)
    {
        var folder = PublishFolder.Open(call.Get(Directory));
        var issues = LocalValidation.Run(folder);
        var errors = issues.Count(i => i.Severity == "error");
        var warnings = issues.Count(i => i.Severity == "warning");
        call.Terminal.Result(new ValidateOutput(errors == 0, errors, warnings, issues), console =>
        {
            if (issues.Count > 0)
                console.Write(Tables.Issues(issues));
            console.MarkupLine(errors == 0
                ? $"[green]valid[/] {Markup.Escape(folder.Directory)}: {folder.Files.Count} files, {Units.Bytes(folder.TotalBytes)}, {warnings} warnings"
                : $"[red]not valid[/] {Markup.Escape(folder.Directory)}: {errors} errors, {warnings} warnings");
        });
        return errors == 0 ? ExitCode.Ok : ExitCode.Refused;
    }

    private sealed record ValidateOutput(bool Valid, int Errors, int Warnings, IReadOnlyList<IssueView> Issues);
}

using System.Text.Json;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Output;

/// <summary>
/// The two streams. Results go to standard output: one table or text for people, or exactly one JSON document with <c>--json</c>.
/// Everything else (what is being done, progress, errors) goes to standard error.
/// </summary>
internal sealed class Terminal
{
    /// <summary>JSON for people.</summary>
    public static readonly JsonSerializerOptions Indented = new(ApiJson.Options) { WriteIndented = true };

    private bool hasResult;

    public Terminal(bool json)
    {
        Json = json;
        Out = Create(Console.Out, Console.IsOutputRedirected);
        Error = Create(Console.Error, Console.IsErrorRedirected);
    }

    /// <summary>Whether results are written as JSON.</summary>
    public bool Json { get; }

    /// <summary>For results.</summary>
    public IAnsiConsole Out { get; }

    /// <summary>For everything else.</summary>
    public IAnsiConsole Error { get; }

    /// <summary>Whether progress bars have somewhere to move.</summary>
    public bool ShowsProgress => Error.Profile.Capabilities.Interactive && !Console.IsErrorRedirected;

    /// <summary>Writes the command's one result.</summary>
    public void Result<T>(T value, Action<IAnsiConsole> show)
    {
        if (Json)
            Console.Out.WriteLine(JsonSerializer.Serialize(value, Indented));
        else
            show(Out);
        hasResult = true;
    }

    /// <summary>Writes the command's one result on a single line of JSON.</summary>
    public void JsonLine<T>(T value)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(value, ApiJson.Options));
        hasResult = true;
    }

    /// <summary>Tells what is being done.</summary>
    public void Say(string text) => Error.WriteLine(text);

    /// <summary>Reports why the command ends without its result.</summary>
    public void Problem(string code, string message, string? hint, IReadOnlyList<IssueView>? issues)
    {
        // There is only one document: after the result, a problem is for people.
        if (Json && !hasResult)
        {
            Result(new ProblemOutput(code, message, hint, issues), _ => { });
            return;
        }

        Error.MarkupLine($"[red]error[/] {Markup.Escape(message)} [grey]({Markup.Escape(code)})[/]");
        if (issues is { Count: > 0 })
            Error.Write(Tables.Issues(issues));
        if (hint is not null)
            Error.MarkupLine($"[blue]hint[/]  {Markup.Escape(hint)}");
    }

    // Without a terminal there is no width to respect; wrapped tables would only be harder to search.
    private static IAnsiConsole Create(TextWriter writer, bool redirected)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        if (redirected)
            console.Profile.Width = 1000;
        return console;
    }

    private sealed record ProblemOutput(string Code, string Detail, string? Hint, IReadOnlyList<IssueView>? Issues);
}

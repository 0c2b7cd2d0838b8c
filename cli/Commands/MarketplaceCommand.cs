using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Marketplace.Cli.Output;

namespace Marketplace.Cli.Commands;

/// <summary>The command line: every command, and what happens when none fits.</summary>
internal static class MarketplaceCommand
{
    /// <summary>Parses and runs.</summary>
    public static async Task<int> Run(string[] args)
    {
        var parsed = Create().Parse(args);
        if (args.Length == 0)
        {
            await Create().Parse(["--help"]).InvokeAsync();
            return ExitCode.Usage;
        }

        // A misspelled option would otherwise be taken for an argument.
        var unknown = parsed.Action is HelpAction ? null : UnknownOption(args, parsed);
        if (unknown is not null || parsed.Action is ParseErrorAction)
            return RefuseUsage(parsed, unknown ?? (parsed.UnmatchedTokens is [var first, ..] ? first : null));
        // `up` and `demo` stop their children before the process ends, which takes longer than the default of 2 s.
        return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(45) });
    }

    private static RootCommand Create() => new("A registry and workshop for LoRA adapters. " + ExitCode.Help)
    {
        CommonOptions.Url,
        CommonOptions.Key,
        CommonOptions.Json,
        UpCommand.Create(),
        DemoCommand.Create(),
        PublishCommand.Create(),
        ValidateCommand.Create(),
        ExtractCommand.Create(),
        TransferCommand.Create(),
        ListCommand.Create(),
        ShowCommand.Create(),
        LineageCommand.Create(),
        DownloadCommand.Create(),
        SimilarCommand.Create(),
        ClusterCommand.Create(),
        DiverseCommand.Create(),
        RouterCommand.Create(),
        ClustersCommand.Create(),
        ClustersCommand.CreateMap(),
        SubtractCommand.Create(),
        BuildCommand.Create(),
        CollectionsCommand.Create(),
        CompareCommand.Create(),
        MergeCommand.Create(),
        MethodsCommand.Create(),
        ComposeCommand.Create(),
        EvaluateCommand.Create(),
        SetsCommand.Create(),
        LeaderboardCommand.Create(),
        ScoresCommand.Create(),
        ScoresCommand.CreateEnsemble(),
        JobCommand.Create(),
        FailuresCommand.Create(),
        UnlistCommand.Create(),
        DeleteCommand.Create(),
        TakedownCommand.Create(),
        TakedownCommand.CreateRestore(),
        AuditCommand.Create(),
        BaseModelsCommand.Create(),
        KeysCommand.Create(),
        AccountsCommand.Create(),
        WhoAmICommand.Create(),
        CostCommand.Create(),
    };

    private static string? UnknownOption(string[] args, ParseResult parsed) =>
        parsed.Tokens
            .TakeWhile(t => t.Type != TokenType.DoubleDash)
            .Where(t => t.Type == TokenType.Argument && t.Value.StartsWith("--", StringComparison.Ordinal))
            .Select(t => t.Value)
            .FirstOrDefault(args.Contains);

    private static int RefuseUsage(ParseResult parsed, string? unknown)
    {
        var terminal = new Terminal(parsed.GetValue(CommonOptions.Json));
        var command = parsed.CommandResult.Command;
        var names = command.Subcommands.Select(c => c.Name).Concat(Options(parsed).Select(o => o.Name));
        var near = unknown is null ? null : Suggestions.Nearest(unknown, names.Where(n => n.StartsWith('-') == unknown.StartsWith('-')));
        var called = command is RootCommand ? "marketplace" : $"marketplace {command.Name}";
        var message = unknown switch
        {
            null => string.Join(' ', parsed.Errors.Select(e => e.Message)),
            _ when unknown.StartsWith('-') => $"`{called}` has no option '{unknown}'.",
            _ when command.Subcommands.Count > 0 => $"There is no command '{unknown}'.",
            _ => $"`{called}` has no use for '{unknown}'.",
        };
        terminal.Problem("usage", message, near is null ? $"`{called} --help` tells more." : $"Did you mean '{near}'?", null);
        return ExitCode.Usage;
    }

    private static IEnumerable<Option> Options(ParseResult parsed) =>
        parsed.CommandResult.Command.Options.Concat(parsed.RootCommandResult.Command.Options.Where(o => o.Recursive));
}

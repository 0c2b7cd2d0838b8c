using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace list</c>.</summary>
internal static class ListCommand
{
    private static readonly Argument<string?> Text = new("text")
    {
        Description = "A part of the name",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Owner = new("--owner") { Description = "Only this account's" };
    private static readonly Option<string?> BaseModel = new("--base-model") { Description = "Only those of this base model" };
    private static readonly Option<string[]> Tag = new("--tag")
    {
        Description = "Only those with this tag, several for all of them: a word of the card, a language, license:mit, dataset:org/name, base_model:org/name, method:ties",
    };

    private static readonly Option<bool> Unlisted = new("--unlisted") { Description = "Your unlisted ones, too" };
    private static readonly Option<bool> TakenDown = new("--taken-down") { Description = "Your ones that were taken down, too; with an admin key everybody's" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most this many", DefaultValueFactory = _ => 100 };

    public static Command Create()
    {
        var command = new Command("list", "List and search adapters") { Text, Owner, BaseModel, Tag, Unlisted, TakenDown, Limit };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var filter = new AdapterFilter(call.Get(Owner), call.Get(BaseModel), call.Get(Text), call.Get(Tag), call.Get(Unlisted), call.Get(TakenDown));
        var limit = Math.Max(1, call.Get(Limit));
        var adapters = await call.Connect().ListAdapters(filter, ct).Take(limit + 1).ToListAsync(ct);
        var more = adapters.Count > limit;
        call.Terminal.Result(new ListResponse<AdapterView>([.. adapters.Take(limit)]), console =>
        {
            if (adapters.Count == 0)
                console.WriteLine("No adapters.");
            else
                console.Write(Tables.Adapters(adapters.Take(limit)));
        });
        if (more)
            call.Terminal.Say($"There are more than {limit}; narrow the search, or raise --limit.");
        return ExitCode.Ok;
    }
}

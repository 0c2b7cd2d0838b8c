using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace collections</c>.</summary>
internal static class CollectionsCommand
{
    private static readonly Argument<string> Name = new("collection") { Description = "owner/name" };
    private static readonly Option<string?> Owner = new("--owner") { Description = "Whose collections; yours if absent" };

    public static Command Create()
    {
        var list = new Command("list", "List an account's collections") { Owner };
        list.Does(List);
        var show = new Command("show", "Show a collection's versions") { Name };
        show.Does(Show);
        var delete = new Command("delete", "Forget a collection; its versions stay") { Name };
        delete.Does(Delete);
        return new Command("collections", "Versions that were made together, by `subtract` or `build`") { list, show, delete };
    }

    private static async Task<int> List(Call call, CancellationToken ct)
    {
        var collections = await call.Connect().ListCollections(call.Get(Owner), ct);
        call.Terminal.Result(collections, console => console.Write(CollectionOutput.List(collections.Items)));
        return ExitCode.Ok;
    }

    private static async Task<int> Show(Call call, CancellationToken ct)
    {
        var name = Read(call.Get(Name));
        var collection = await call.Connect().GetCollection(name, ct);
        call.Terminal.Result(collection, console => CollectionOutput.Show(console, collection));
        return ExitCode.Ok;
    }

    private static async Task<int> Delete(Call call, CancellationToken ct)
    {
        var name = Read(call.Get(Name));
        await call.Connect().DeleteCollection(name, ct);
        call.Terminal.Result(new DeleteOutput(name.ToString(), true), console => console.WriteLine($"{name} is forgotten; its versions stay."));
        return ExitCode.Ok;
    }

    /// <summary>A collection's name as it is written on the command line.</summary>
    public static Core.AdapterId Read(string text) => AdapterReference.Parse(text) is { Revision: null } reference
        ? reference.Id : throw CliException.Usage($"'{text}' does not name a collection: collections have no revisions.", "Write owner/name.");

    private sealed record DeleteOutput(string Collection, bool Deleted);
}

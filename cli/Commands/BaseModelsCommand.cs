using System.CommandLine;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace base-models</c>.</summary>
internal static class BaseModelsCommand
{
    private static readonly Argument<string> Name = new("name") { Description = "A spelling of a base model's name" };
    private static readonly Argument<string> Spelling = new("spelling") { Description = "As written in your adapters' configuration, such as a local path" };
    private static readonly Argument<string> BaseModel = new("base-model") { Description = "What it stands for: org/name" };
    private static readonly Option<bool> Everybody = new("--everybody") { Description = "For all accounts' adapters; needs an admin key" };

    public static Command Create()
    {
        var list = new Command("list", "List base models and their aliases");
        list.Does(List);
        var resolve = new Command("resolve", "Show what a spelling counts as") { Name };
        resolve.Does(Resolve);
        var confirm = new Command("confirm", "Confirm what a spelling in your adapters stands for") { Spelling, BaseModel, Everybody };
        confirm.Does(Confirm);
        return new Command("base-models", "Show base models, and tell which spellings are the same one") { list, AddBaseModelCommand.Create(), ShowBaseModelCommand.Create(), resolve, confirm, AllocateCommand.Create() };
    }

    private static async Task<int> List(Call call, CancellationToken ct)
    {
        var models = await call.Connect().ListBaseModels(ct).ToListAsync(ct);
        call.Terminal.Result(new ListResponse<BaseModelView>(models), console =>
        {
            var table = Tables.Create("base model", "files", "also spelled", "for");
            foreach (var model in models)
            {
                table.Row(model.Id, model.Weights is { } weights ? $"{weights.Architecture}, {Units.Bytes(weights.Size)}" : "", "", "");
                foreach (var alias in model.Aliases)
                    table.Row("", "", alias.Spelling, alias.Owner ?? "everybody");
            }

            console.Write(table);
        });
        return ExitCode.Ok;
    }

    private static async Task<int> Resolve(Call call, CancellationToken ct)
    {
        var alias = await call.Connect().ResolveBaseModel(call.Get(Name), ct);
        call.Terminal.Result(alias, console => console.WriteLine(alias.BaseModel));
        return ExitCode.Ok;
    }

    private static async Task<int> Confirm(Call call, CancellationToken ct)
    {
        var request = new ConfirmAliasRequest(call.Get(Spelling), call.Get(BaseModel), call.Get(Everybody));
        var confirmed = await call.Connect().ConfirmAlias(request, ct);
        call.Terminal.Result(confirmed, console =>
        {
            console.WriteLine($"'{confirmed.Alias.Spelling}' is {confirmed.Alias.BaseModel}.");
            foreach (var adapter in confirmed.Adapters)
                console.WriteLine($"{adapter} joined its library.");
        });
        return ExitCode.Ok;
    }
}

using System.CommandLine;
using System.Globalization;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace base-models allocate</c>.</summary>
internal static class AllocateCommand
{
    private static readonly Argument<string> Adapter = new("adapter") { Description = "The adapter to be trained: owner/name" };
    private static readonly Argument<string> BaseModel = new("base-model") { Description = "The base model that it will be trained on" };
    private static readonly Option<int> Rank = new("--rank", "-r") { Description = "Its rank", Required = true };

    private static readonly Option<string[]> Modules = new("--module", "-m")
    {
        Description = "A module that it will adapt, with its input size: model.layers.0.self_attn.q_proj=4096",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
    };

    public static Command Create()
    {
        var allocate = new Command("allocate", "Reserve input subspaces for training, orthogonal to those of all other adapters") { Adapter, BaseModel, Rank, Modules };
        allocate.Does(Run);
        return allocate;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var modules = call.Get(Modules)!.Select(Parse).ToList();
        var client = call.Connect();
        var response = await client.AllocateSubspaces(new(call.Get(Adapter), call.Get(BaseModel), call.Get(Rank), modules), ct);
        call.Terminal.Result(response, console =>
        {
            var table = Tables.Create("module", "in", "basis", "seed", "vectors");
            foreach (var s in response.Subspaces)
                table.Row(s.Module, $"{s.In}", $"{s.Basis}".ToLowerInvariant(), $"{s.Seed}", $"{s.Columns[0]} … {s.Columns[^1]}");
            console.Write(table);
        });
        return ExitCode.Ok;
    }

    private static SubspaceModule Parse(string text)
    {
        var split = text.LastIndexOf('=');
        return split > 0 && int.TryParse(text.AsSpan(split + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            ? new(text[..split], size)
            : throw CliException.Usage($"'{text}' is no module with its input size.", "Write it as q_proj=4096.");
    }
}

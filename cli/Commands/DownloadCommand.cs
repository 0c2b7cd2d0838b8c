using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace download</c>.</summary>
internal static class DownloadCommand
{
    private static readonly Argument<string> Adapter = new("adapter") { Description = "owner/name, or owner/name@revision" };

    private static readonly Argument<string?> Directory = new("folder")
    {
        Description = "Where the files go; a folder of the adapter's name if absent",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Command Create()
    {
        var command = new Command("download", "Download an adapter and verify its digests") { Adapter, Directory };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        var reference = call.Adapter(call.Get(Adapter));
        var client = call.Connect();
        var version = await client.GetVersion(reference, ct);
        var directory = call.Get(Directory) ?? reference.Id.Name;
        await ProgressBars.Run(call.Terminal, bytes: true, async bars =>
        {
            var bar = bars.Add("receiving", version.Files.Sum(f => f.Size));
            await new VersionDownload(client, version, directory).Run(bar.Report, ct);
            return 0;
        });
        var output = new DownloadOutput(new VersionReference(version.Adapter, version.Number, version.Id), Path.GetFullPath(directory), version.Files);
        call.Terminal.Result(output, console =>
            console.WriteLine($"{Tables.Name(output.Version)}: {version.Files.Count} files, {Units.Bytes(version.Files.Sum(f => f.Size))}, verified, in {directory}"));
        return ExitCode.Ok;
    }

    private sealed record DownloadOutput(VersionReference Version, string Folder, IReadOnlyList<FileView> Files);
}

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

    private static readonly Option<int?> Rank = new("--rank")
    {
        Description = "Truncated to this rank, in the serving profile; an adapter of no larger rank comes as it is",
    };

    private static readonly Option<bool> Collection = new("--collection") { Description = "The name is a collection's: each of its versions goes into a folder of its own" };

    public static Command Create()
    {
        var command = new Command("download", "Download an adapter, or a collection, and verify its digests") { Adapter, Directory, Rank, Collection };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        if (call.Get(Collection))
            return await CollectionDownload.Run(call, CollectionsCommand.Read(call.Get(Adapter)), call.Get(Directory), call.Get(Rank), ct);
        var reference = call.Adapter(call.Get(Adapter));
        var client = call.Connect();
        var version = await client.GetVersion(reference, ct);
        RankView? ranked = null;
        if (call.Get(Rank) is { } rank)
        {
            // The version's id, so that files and digests are of one version even if `main` moves meanwhile.
            ranked = await client.GetRank(new AdapterReference(reference.Id, version.Id), rank, ct);
            version = version with { Files = ranked.Files };
        }

        var directory = call.Get(Directory) ?? reference.Id.Name;
        await ProgressBars.Run(call.Terminal, bytes: true, async bars =>
        {
            var bar = bars.Add("receiving", version.Files.Sum(f => f.Size));
            await new VersionDownload(client, version, directory, ranked is { Truncated: true } ? ranked.Rank : null).Run(bar.Report, ct);
            return 0;
        });
        var output = new DownloadOutput(
            new VersionReference(version.Adapter, version.Number, version.Id), Path.GetFullPath(directory), version.Files, ranked?.Rank, ranked?.DiscardedEnergy);
        call.Terminal.Result(output, console =>
        {
            console.WriteLine($"{Tables.Name(output.Version)}: {version.Files.Count} files, {Units.Bytes(version.Files.Sum(f => f.Size))}, verified, in {directory}");
            if (ranked is not null)
                console.WriteLine(Describe(ranked));
        });
        return ExitCode.Ok;
    }

    private static string Describe(RankView ranked) => ranked.Truncated
        ? $"truncated from rank {ranked.StoredRank} to {ranked.Rank}: {ranked.DiscardedEnergy:P2} of the energy discarded"
            + (ranked.Modules.MaxBy(m => m.DiscardedEnergy) is { DiscardedEnergy: > 0 } worst ? $", at most {worst.DiscardedEnergy:P2}, of {worst.Module}" : "")
        : $"as stored: its rank is {ranked.StoredRank}";

    private sealed record DownloadOutput(VersionReference Version, string Folder, IReadOnlyList<FileView> Files, int? Rank, double? DiscardedEnergy);
}

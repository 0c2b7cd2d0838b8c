using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary>Downloads the members of a collection, each into a folder of its own.</summary>
internal static class CollectionDownload
{
    public static async Task<int> Run(Call call, AdapterId name, string? directory, int? rank, CancellationToken ct)
    {
        var client = call.Connect();
        var collection = await client.GetCollection(name, ct);
        var folder = directory ?? name.Name;
        var members = new List<DownloadedMember>();
        await ProgressBars.Run(call.Terminal, bytes: true, async bars =>
        {
            foreach (var member in collection.Members!)
            {
                // The service names members as adapters are named; what writes to this disk looks again.
                if (!AdapterId.TryCreate(name.Owner, member.Label, out _))
                    throw new CliException("unexpected-answer", ExitCode.Failed, $"The service names a member '{member.Label}', which can't be.");
                var reference = new AdapterReference(AdapterId.Parse(member.Version.Adapter), member.Version.Id);
                var version = await client.GetVersion(reference, ct);
                var ranked = rank is { } r ? await client.GetRank(reference, r, ct) : null;
                version = version with { Files = ranked?.Files ?? version.Files };
                var target = Path.Combine(folder, member.Label);
                var bar = bars.Add(member.Label, version.Files.Sum(f => f.Size));
                await new VersionDownload(client, version, target, ranked is { Truncated: true } ? ranked.Rank : null).Run(bar.Report, ct);
                members.Add(new(member.Label, member.Version, Path.GetFullPath(target), version.Files.Sum(f => f.Size), ranked?.Rank, ranked?.DiscardedEnergy));
            }

            return 0;
        });
        call.Terminal.Result(new CollectionDownloadOutput(collection.Id, Path.GetFullPath(folder), members), console =>
        {
            foreach (var member in members)
            {
                console.WriteLine(
                    $"{Tables.Name(member.Version)}: {Units.Bytes(member.Bytes)}, verified, in {Path.Combine(folder, member.Label)}"
                    + (member.DiscardedEnergy is { } lost ? $", at rank {member.Rank}: {lost:P2} of the energy discarded" : ""));
            }

            console.WriteLine($"{collection.Id}: {members.Count} adapters in {folder}");
        });
        return ExitCode.Ok;
    }

    private sealed record CollectionDownloadOutput(string Collection, string Folder, IReadOnlyList<DownloadedMember> Members);

    private sealed record DownloadedMember(string Label, VersionReference Version, string Folder, long Bytes, int? Rank, double? DiscardedEnergy);
}

using System.Globalization;
using System.Text.RegularExpressions;
using Marketplace.Core;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hub;

/// <summary>
/// Says of each file how it is to be sent: inside the commit, or to storage before it. A client that may have Xet would take "lfs" as leave to send the file there, so it gets "regular" as long as that can be had.
/// </summary>
public static partial class Preupload
{
    /// <summary>Bytes up to which every client sends a file inside the commit.</summary>
    internal const long RegularBytes = 1 << 20;

    /// <summary>Most files of one question.</summary>
    internal const int MaxFiles = 1000;

    private sealed record Body(IReadOnlyList<AskedFile>? Files);

    private sealed record AskedFile(string? Path, long Size);

    private sealed record Answer(string Path, string UploadMode, bool ShouldIgnore, string? Oid);

    public static async Task<IResult> Handle(
        string owner, string name, string revision, Requester requester, HubRepositories repositories, MarketplaceStorage storage, IOptions<MarketplaceOptions> options, HttpContext context, CancellationToken cancellationToken)
    {
        var body = await HubBody.ReadAsync<Body>(context, cancellationToken);
        var (repository, problem) = await OwnRepository.FindAsync(repositories, requester, owner, name, cancellationToken);
        if (repository is null)
            return problem!;
        if (HubBody.PullRequest(context) is { } refused)
            return refused;
        if (!HubRepositories.IsMain(revision))
            return HubProblems.RevisionNotFound(repository.Id.ToString(), revision, "This registry has one branch, 'main'.");
        if (body.Files is not { Count: <= MaxFiles } files)
            return HubProblems.BadRequest($"Name the files, at most {MaxFiles} at a time.");
        if (files.FirstOrDefault(f => !RepositoryPath.IsValid(f.Path)) is { } invalid)
            return HubProblems.BadRequest(Commits.CommitReader.InvalidPath(invalid.Path));

        var head = (await Commits.CommitHead.LoadAsync(storage, repository.Id, cancellationToken)).State;
        var inline = HasXet(context.Request.Headers.UserAgent.ToString()) ? Math.Max(RegularBytes, options.Value.HubInlineBytes) : RegularBytes;
        return HubJson.Answer(new
        {
            files = files.Select(file =>
            {
                var regular = file.Size <= inline;
                var present = head.Files.FirstOrDefault(f => f.Path == file.Path);
                return new Answer(file.Path!, regular ? "regular" : "lfs", false, regular ? present?.GitSha1 : present?.Digest.Hex);
            }),
        });
    }

    /// <summary>Whether the client is one that would send "lfs" files to Xet if it has it, without asking: huggingface_hub from 1.20 on.</summary>
    internal static bool HasXet(string userAgent) =>
        Version().Match(userAgent) is { Success: true, Groups: var groups }
        && int.TryParse(groups[1].Value, CultureInfo.InvariantCulture, out var major) && int.TryParse(groups[2].Value, CultureInfo.InvariantCulture, out var minor)
        && (major, minor).CompareTo((1, 20)) >= 0;

    [GeneratedRegex(@"\bhf_hub/(\d{1,6})\.(\d{1,6})")]
    private static partial Regex Version();
}

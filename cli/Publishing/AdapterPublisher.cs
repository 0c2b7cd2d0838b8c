using Azure;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Publishing;

/// <summary>How to publish.</summary>
/// <param name="Private">Whether only the owner may see the adapter.</param>
/// <param name="Message">A line about the version.</param>
/// <param name="ExpectedParent">Version id that must be current.</param>
internal sealed record PublishOptions(bool Private = false, string? Message = null, string? ExpectedParent = null);

/// <summary>A verdict, and what it took.</summary>
/// <param name="Status">The upload at its end.</param>
/// <param name="ResumedBytes">Bytes that an earlier, interrupted run had sent.</param>
internal sealed record PublishOutcome(UploadStatus Status, long ResumedBytes)
{
    /// <summary>Whether there is a new version.</summary>
    public bool Published => Status.State == "published";
}

/// <summary>Publishes a folder: begins the upload or picks up an interrupted one, sends the files, waits for the verdict.</summary>
internal sealed class AdapterPublisher(MarketplaceClient client, Terminal terminal)
{
    private const int Retries = 8;

    /// <summary>Publishes a folder whose files have been hashed.</summary>
    public async Task<PublishOutcome> Publish(AdapterId adapter, PublishFolder folder, PublishOptions options, CancellationToken ct)
    {
        var key = $"{client.Connection.Address} {adapter.ToString().ToLowerInvariant()} {options} {folder.ContentKey()}";
        return await Send(
            key, folder, files => client.BeginUpload(new BeginUploadRequest(adapter.ToString(), files, options.Private, options.Message, options.ExpectedParent), ct), ct);
    }

    /// <summary>Registers the files of a base model, which have been hashed.</summary>
    public Task<PublishOutcome> Register(AdapterId baseModel, PublishFolder folder, string? message, CancellationToken ct) => Send(
        $"{client.Connection.Address} base-model {baseModel.ToString().ToLowerInvariant()} {message} {folder.ContentKey()}", folder,
        files => client.RegisterBaseModel(new RegisterBaseModelRequest(baseModel.ToString(), files, message), ct), ct);

    private async Task<PublishOutcome> Send(string key, PublishFolder folder, Func<List<UploadFileRequest>, Task<UploadTicket>> begin, CancellationToken ct)
    {
        using var journal = UploadJournal.Open(UploadJournal.PathFor(key));
        var status = await Resume(journal, ct);
        if (status is null)
            journal.Start(await begin([.. folder.Files.Select(f => new UploadFileRequest(f.Path, f.Size, f.Digest.Hex))]));

        var resumed = 0L;
        if (status is null or { State: "open" })
        {
            resumed = AlreadySent(journal, folder);
            if (resumed > 0)
                terminal.Say($"Resuming an interrupted upload: {Units.Bytes(resumed)} of {Units.Bytes(folder.TotalBytes)} are there already.");
            await SendFiles(journal, folder, resumed, ct);
            status = await Complete(journal.Ticket!.UploadId, ct);
        }

        status = await WaitForVerdict(status, ct);
        journal.Delete();
        return new PublishOutcome(status, resumed);
    }

    // The upload that the journal remembers, if it can still lead somewhere.
    private async Task<UploadStatus?> Resume(UploadJournal journal, CancellationToken ct)
    {
        if (journal.Ticket is not { } ticket)
            return null;
        try
        {
            var status = await client.GetUpload(ticket.UploadId, ct);
            var usable = status.State == "open"
                ? status.ExpiresAt > DateTimeOffset.UtcNow + TimeSpan.FromMinutes(2)
                : status.State is "queued" or "published" or "rejected";
            if (usable)
                return status;
        }
        catch (ApiException e) when (e.Problem.Code is "not-found")
        {
            // Forgotten by the service, or by another service at the same address.
        }

        journal.Reset();
        return null;
    }

    private async Task SendFiles(UploadJournal journal, PublishFolder folder, long resumed, CancellationToken ct)
    {
        var targets = journal.Ticket!.Files;
        await ProgressBars.Run(terminal, bytes: true, async bars =>
        {
            var bar = bars.Add("sending", folder.TotalBytes);
            var done = resumed;
            bar.Report(done);
            var uploader = new BlockUploader(journal, bytes => bar.Report(Interlocked.Add(ref done, bytes)));
            for (var i = 0; i < targets.Count; i++)
            {
                var file = folder.Files.Single(f => f.Path == targets[i].Path);
                try
                {
                    await uploader.Send(i, file, targets[i], ct);
                }
                catch (RequestFailedException e) when (e.Status == 403)
                {
                    journal.Reset();
                    throw new CliException("upload-expired", ExitCode.Refused, $"Storage no longer takes {file.Path}: {e.ErrorCode}.", "Publish again.");
                }
            }

            return done;
        });
    }

    // Asking twice does no harm: an upload that is already complete answers with a conflict.
    private async Task<UploadStatus> Complete(string uploadId, CancellationToken ct)
    {
        try
        {
            return await Retry(() => client.CompleteUpload(uploadId, ct), ct);
        }
        catch (ApiException e) when (e.Problem.Code == "conflict")
        {
            var status = await client.GetUpload(uploadId, ct);
            if (status.State == "open")
                throw;
            return status;
        }
    }

    private async Task<UploadStatus> WaitForVerdict(UploadStatus status, CancellationToken ct)
    {
        for (var delay = 50; status.State == "queued"; delay = Math.Min(delay * 3 / 2, 1000))
        {
            await Task.Delay(delay, ct);
            if (delay is > 600 and < 1000)
                terminal.Say("Waiting for the verdict.");
            status = await Retry(() => client.GetUpload(status.UploadId, ct), ct);
        }

        return status;
    }

    private static async Task<T> Retry<T>(Func<Task<T>> request, CancellationToken ct)
    {
        for (var failures = 0; ;)
        {
            try
            {
                return await request();
            }
            catch (Exception e) when ((e is HttpRequestException or ApiException { IsTransient: true }) && ++failures < Retries)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100 << failures), ct);
            }
        }
    }

    private static long AlreadySent(UploadJournal journal, PublishFolder folder)
    {
        var sent = 0L;
        var targets = journal.Ticket!.Files;
        for (var i = 0; i < targets.Count; i++)
        {
            var size = folder.Files.Single(f => f.Path == targets[i].Path).Size;
            sent += Enumerable.Range(0, BlockUploader.BlockCount(size))
                .Where(b => journal.Has(i, b))
                .Sum(b => (long)BlockUploader.BlockLength(size, b));
        }

        return sent;
    }
}

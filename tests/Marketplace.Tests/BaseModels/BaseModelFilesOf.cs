using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Tests.Extraction;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.BaseModels;

/// <summary>Base models' files for tests, and how an admin registers them.</summary>
internal static class BaseModelFilesOf
{
    public static string SampleFolder { get; } = Path.Combine(Fixtures.Repository, "samples", "base");

    /// <summary>The files of a folder that are a base model's.</summary>
    public static Dictionary<string, byte[]> Folder(string folder) => BaseModelManifest.FilesIn(folder).ToDictionary(n => n, n => File.ReadAllBytes(Path.Combine(folder, n)));

    /// <summary>The sample base model, whole.</summary>
    public static Dictionary<string, byte[]> Sample() => Folder(SampleFolder);

    /// <summary>The sample base model in two shards.</summary>
    public static Dictionary<string, byte[]> Sharded()
    {
        using var folder = new TemporaryFolder();
        using var weights = Models.Open(SampleFolder);
        Models.WriteSharded(weights, folder.Path, 2);
        var files = Folder(folder.Path);
        files["tokenizer.json"] = File.ReadAllBytes(Path.Combine(SampleFolder, "tokenizer.json"));
        return files;
    }

    /// <summary>What a folder with these files would have as its digest.</summary>
    public static string DigestOf(IReadOnlyDictionary<string, byte[]> files) =>
        BaseModelManifest.Of(files.Select(f => new BaseModelFile(f.Key, Digest.Of(f.Value), f.Value.Length))).Digest.Hex;

    /// <summary>Registers files as users do; returns the upload's final state.</summary>
    public static async Task<UploadStatus> RegisterAsync(StackApi admin, string baseModel, IReadOnlyDictionary<string, byte[]> files, string? message = null)
    {
        var begin = new RegisterBaseModelRequest(baseModel, [.. files.Select(f => new UploadFileRequest(f.Key, f.Value.Length, Digest.Of(f.Value).Hex))], message);
        var ticket = await admin.PostAsync<UploadTicket>("/base-models", begin, 201);
        foreach (var target in ticket.Files)
            await StackApi.PutAsync(target.Url, files[target.Path]);
        await admin.PostAsync<UploadStatus>($"/uploads/{ticket.UploadId}/complete", null, 202);
        return await admin.DecidedAsync(ticket.UploadId);
    }

    /// <summary>Registers files that are to be accepted.</summary>
    public static async Task<UploadStatus> RegisteredAsync(StackApi admin, string baseModel, IReadOnlyDictionary<string, byte[]> files)
    {
        var status = await RegisterAsync(admin, baseModel, files);
        Assert.True(status.State == "published", $"{baseModel} is {status.State}: {string.Join(' ', status.Issues?.Select(i => i.Message) ?? [status.Detail ?? ""])}");
        return status;
    }
}

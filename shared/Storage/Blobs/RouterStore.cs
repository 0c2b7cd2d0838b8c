using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Sas;
using Marketplace.Core;
using Marketplace.Core.Api;

namespace Marketplace.Storage;

/// <summary>
/// Routers by id: their files, and a manifest that is written last. Files and manifest follow from the job, so that two deliveries of it write the same bytes, and a router
/// whose manifest is missing does not exist.
/// </summary>
public sealed class RouterStore
{
    private readonly BlobContainerClient container;
    private readonly SasSigner signer;
    private readonly TimeProvider clock;
    private readonly AdapterStore adapters;

    internal RouterStore(BlobContainerClient container, SasSigner signer, TimeProvider clock, AdapterStore adapters) =>
        (this.container, this.signer, this.clock, this.adapters) = (container, signer, clock, adapters);

    /// <summary>Stores a router: its files, which the view names, out of a folder, then what makes it exist.</summary>
    public async Task PutAsync(RouterView router, string folder, CancellationToken ct = default)
    {
        foreach (var file in router.Files)
            await Blob(router.Id, file.Name).UploadAsync(Path.Combine(folder, file.Name), overwrite: true, ct);
        await Manifest(router.Id).UploadAsync(BinaryData.FromBytes(JsonSerializer.SerializeToUtf8Bytes(router, ApiJson.Options)), overwrite: true, ct);
    }

    /// <summary>
    /// A router; null if it does not exist for the caller. Its owner sees it; others do unless it is private or has, at this moment, an adapter that they may not see. While one of its adapters is down, it
    /// exists for nobody; who would see it otherwise gets that adapter. With one that was deleted it is no more.
    /// </summary>
    public async Task<(RouterView? Router, AdapterRecord? TakenDown)> FindAsync(string id, Caller caller, CancellationToken ct = default)
    {
        if (id.Length != 32 || !id.All(char.IsAsciiHexDigitLower) || await Manifest(id).ReadAsync(ct) is not { } manifest)
            return default;
        var router = JsonSerializer.Deserialize<RouterView>(manifest.ToMemory().Span, ApiJson.Options)!;
        var own = caller.IsAdmin || caller.Is(router.Owner);
        if (router.Private && !own)
            return default;
        var versions = router.Experts.Concat(router.General.Select(g => g.Version)).Select(v => (Id: AdapterId.Parse(v.Adapter), v.Number)).Distinct();
        var used = await Task.WhenAll(versions.Select(v => adapters.GetAsync(v.Id, v.Number, ct)));
        if (used.Any(a => a is null || (!own && !caller.MayKnow(a))))
            return default;
        return used.FirstOrDefault(a => a is { Takedown: not null }) is { } down ? (null, down) : (router, null);
    }

    /// <summary>The same, of one whose adapters are all up.</summary>
    public async Task<RouterView?> GetAsync(string id, Caller caller, CancellationToken ct = default) => (await FindAsync(id, caller, ct)).Router;

    /// <summary>An address from which anybody can read one file until it expires.</summary>
    public Task<Uri> SignedReadUriAsync(string id, string file, TimeSpan lifetime, CancellationToken ct = default) =>
        signer.SignAsync(Blob(id, file), BlobSasPermissions.Read, clock.GetUtcNow() + lifetime, SasSigner.Attachment(file), ct);

    /// <summary>Reads a file whole.</summary>
    public async Task<byte[]> ReadAsync(string id, string file, CancellationToken ct = default) =>
        (await Blob(id, file).DownloadContentAsync(ct)).Value.Content.ToArray();

    /// <summary>Reads a part of a file.</summary>
    public async Task<byte[]> ReadAsync(string id, string file, long offset, long length, CancellationToken ct = default) =>
        (await Blob(id, file).DownloadContentAsync(new BlobDownloadOptions { Range = new HttpRange(offset, length) }, ct)).Value.Content.ToArray();

    private BlobClient Manifest(string id) => Blob(id, "manifest.json");

    private BlobClient Blob(string id, string name) => container.GetBlobClient($"{id}/{name}");
}

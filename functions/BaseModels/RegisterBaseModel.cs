using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Functions.Http;
using Marketplace.Functions.Uploads;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.BaseModels;

/// <summary>
/// Begins to register a base model's files, for everybody. From here on it is an upload like any other: the bytes go to the addresses, then the upload is completed,
/// and validation ends it.
/// </summary>
public static class RegisterBaseModel
{
    public static async Task<Results<Created<UploadTicket>, ProblemHttpResult>> Handle(
        RegisterBaseModelRequest request, Requester requester, MarketplaceStorage storage,
        IOptions<MarketplaceOptions> options, IOptions<StorageOptions> storageOptions, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!AdapterId.TryParse(request.BaseModel, out var id))
            return Problems.InvalidRequest("baseModel", $"'{request.BaseModel}' is not a name of the form owner/name; a model known by one word is registered under such a name, and the word is an alias.");
        var files = BeginUpload.Check(request.Files, request.Message, options.Value, out var issues);
        for (var index = 0; index < files.Length; index++)
        {
            if (!BaseModelManifest.Takes(files[index].Path))
                issues.Add(new("invalid-value", "error", $"files[{index}].path", $"'{files[index].Path}' is no file of a base model; configuration, tokenizer and safetensors are taken."));
        }

        if (issues.Count > 0)
            return Problems.InvalidRequest(issues);
        var now = time.GetUtcNow();
        return await BeginUpload.OpenAsync(
            new UploadRecord(
                BeginUpload.NewId(), id, requester.Owner, Private: false, UploadState.Open, files, null, request.Message,
                now, now + storageOptions.Value.UploadLifetime, null, null, null, default, UploadKind.BaseModel),
            storage, cancellationToken);
    }
}

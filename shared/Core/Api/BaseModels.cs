namespace Marketplace.Core.Api;

/// <summary>POST /api/v1/base-models: the files of a base model that an admin is about to send.</summary>
/// <param name="BaseModel"><c>owner/name</c>; a model known by one word alone needs an alias for everybody.</param>
/// <param name="Files">config.json, tokenizer, and the weights in one file or in shards with their index.</param>
/// <param name="Message">A line about it.</param>
public sealed record RegisterBaseModelRequest(string BaseModel, IReadOnlyList<UploadFileRequest> Files, string? Message = null);

/// <summary>A base model's files as registered.</summary>
/// <param name="BaseModel">Its id, as first registered.</param>
/// <param name="Number">1 for the first registration; a registration never changes, other bytes are a new one.</param>
/// <param name="Digest">Names configuration, weights and tokenizer: SHA-256 over the digests of their files.</param>
/// <param name="Architecture"><c>model_type</c> of its configuration.</param>
/// <param name="Size">Bytes of all files.</param>
/// <param name="Stored">Whether all bytes are in blob storage at this moment.</param>
/// <param name="HasTokenizer">Whether texts can be scored with it.</param>
/// <param name="Files">Its files in ordinal order of their names.</param>
/// <param name="CreatedAt">When it was registered.</param>
/// <param name="Message">What was said about it.</param>
/// <param name="Registrations">All registrations of the base model, newest first.</param>
public sealed record BaseModelWeightsView(
    string BaseModel, int Number, string Digest, string Architecture, long Size, bool Stored, bool HasTokenizer, IReadOnlyList<BaseModelFileView> Files,
    DateTimeOffset CreatedAt, string? Message, IReadOnlyList<BaseModelRegistrationView> Registrations);

/// <summary>A file of a base model.</summary>
/// <param name="Path">Its name.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">Digest.</param>
public sealed record BaseModelFileView(string Path, long Size, string Sha256);

/// <summary>A registration in short.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Digest">Digest of configuration, weights and tokenizer.</param>
/// <param name="Architecture"><c>model_type</c>.</param>
/// <param name="Size">Bytes of all files.</param>
/// <param name="CreatedAt">When.</param>
public sealed record BaseModelRegistrationView(int Number, string Digest, string Architecture, long Size, DateTimeOffset CreatedAt);

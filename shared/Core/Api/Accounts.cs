namespace Marketplace.Core.Api;

/// <summary>POST /api/v1/keys.</summary>
/// <param name="Name">What the key is for.</param>
/// <param name="Scope">read, publish or admin; at most the caller's own.</param>
/// <param name="Owner">Account of the key; the caller's if absent. Only an admin may name another, and thereby opens the account.</param>
/// <param name="ExpiresAt">When it stops working; never if absent.</param>
public sealed record CreateKeyRequest(string Name, string Scope = "publish", string? Owner = null, DateTimeOffset? ExpiresAt = null);

/// <summary>An API key.</summary>
/// <param name="Id">Names the key; not a secret.</param>
/// <param name="Owner">Its account.</param>
/// <param name="Name">What it is for.</param>
/// <param name="Scope">read, publish or admin.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="ExpiresAt">When it stops working.</param>
/// <param name="Revoked">Whether it was taken back.</param>
/// <param name="Token">The secret, given once, in the answer that creates it.</param>
public sealed record KeyView(
    string Id, string Owner, string Name, string Scope, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, bool Revoked, string? Token = null);

/// <summary>GET /api/v1/whoami.</summary>
/// <param name="Owner">The caller's account; absent for anonymous callers.</param>
/// <param name="Scope">read, publish or admin; absent for anonymous callers.</param>
public sealed record WhoAmIView(string? Owner, string? Scope);

/// <summary>A base model.</summary>
/// <param name="Id">Its canonical id.</param>
/// <param name="Aliases">Spellings that count as it, as far as they concern the caller.</param>
/// <param name="Weights">Its newest registration of files; absent where there is none.</param>
public sealed record BaseModelView(string Id, IReadOnlyList<BaseModelAliasView> Aliases, BaseModelRegistrationView? Weights = null);

/// <summary>A spelling of a base model's name.</summary>
/// <param name="Spelling">As written in adapter_config.json.</param>
/// <param name="BaseModel">The canonical id it stands for.</param>
/// <param name="Owner">Whose adapters it applies to; absent when it applies to all.</param>
public sealed record BaseModelAliasView(string Spelling, string BaseModel, string? Owner);

/// <summary>POST /api/v1/base-models/aliases: a publisher confirms what a spelling in its own adapters stands for.</summary>
/// <param name="Spelling">As written in adapter_config.json.</param>
/// <param name="BaseModel">The canonical id, a Hub-style id.</param>
/// <param name="Everybody">For all owners' adapters; needs an admin key.</param>
public sealed record ConfirmAliasRequest(string Spelling, string BaseModel, bool Everybody = false);

/// <summary>What confirming an alias changed.</summary>
/// <param name="Alias">The alias.</param>
/// <param name="Adapters">Adapters that joined the base model's library by it.</param>
public sealed record ConfirmAliasResponse(BaseModelAliasView Alias, IReadOnlyList<string> Adapters);

/// <summary>GET /api/v1/health.</summary>
/// <param name="Status">ok or unavailable.</param>
/// <param name="Version">Version of the service.</param>
public sealed record HealthView(string Status, string Version);

/// <summary>RFC 9457 problem details, with a code and the places concerned.</summary>
/// <param name="Type">Address of the code's description.</param>
/// <param name="Title">Short, per code.</param>
/// <param name="Status">HTTP status.</param>
/// <param name="Detail">What happened this time.</param>
/// <param name="Code">Stable code; docs/api.md lists them.</param>
/// <param name="Issues">Findings with their places.</param>
/// <param name="TraceId">For the operator's log.</param>
/// <param name="Takedown">With <c>taken-down</c>: why and since when.</param>
public sealed record ProblemView(
    string? Type, string? Title, int? Status, string? Detail, string Code, IReadOnlyList<IssueView>? Issues = null, string? TraceId = null,
    TakedownView? Takedown = null);

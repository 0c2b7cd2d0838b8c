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
/// <param name="LastUsedOn">The day (UTC) on which it was last used.</param>
public sealed record KeyView(
    string Id, string Owner, string Name, string Scope, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, bool Revoked, string? Token = null,
    DateOnly? LastUsedOn = null);

/// <summary>GET /api/v1/whoami.</summary>
/// <param name="Owner">The caller's account; absent for anonymous callers.</param>
/// <param name="Scope">read, publish or admin; absent for anonymous callers.</param>
/// <param name="Identity">Object id in the tenant, of callers with a token. With it an admin binds them to an account.</param>
public sealed record WhoAmIView(string? Owner, string? Scope, string? Identity = null);

/// <summary>What an account has, or may have.</summary>
/// <param name="Bytes">Bytes of all versions, each in full.</param>
/// <param name="Adapters">Adapters.</param>
/// <param name="Uploads">Uploads that are open or in validation.</param>
/// <param name="Keys">Keys that work.</param>
/// <param name="Jobs">Jobs that wait or run.</param>
/// <param name="EvaluationSetBytes">Bytes of evaluation sets.</param>
public sealed record AccountAmounts(long Bytes, int Adapters, int Uploads, int Keys, int Jobs, long EvaluationSetBytes);

/// <summary>GET /api/v1/accounts/{owner}.</summary>
/// <param name="Owner">The account.</param>
/// <param name="Usage">What it has.</param>
/// <param name="Quota">What it may have.</param>
/// <param name="Set">What an admin has set for it; the rest is what holds for all.</param>
public sealed record AccountView(string Owner, AccountAmounts Usage, AccountAmounts Quota, SetQuotaRequest Set);

/// <summary>PUT /api/v1/accounts/{owner}/quota. What is absent is what holds for all.</summary>
/// <param name="Bytes">Bytes of all versions.</param>
/// <param name="Adapters">Adapters.</param>
/// <param name="Uploads">Uploads at a time.</param>
/// <param name="Keys">Keys that work.</param>
/// <param name="Jobs">Jobs at a time.</param>
/// <param name="EvaluationSetBytes">Bytes of evaluation sets.</param>
public sealed record SetQuotaRequest(
    long? Bytes = null, int? Adapters = null, int? Uploads = null, int? Keys = null, int? Jobs = null, long? EvaluationSetBytes = null);

/// <summary>An identity of the tenant that acts as an account.</summary>
/// <param name="ObjectId">Its object id: of a person, a service principal or a managed identity.</param>
/// <param name="TenantId">The tenant.</param>
/// <param name="Owner">The account.</param>
/// <param name="BoundBy">The admin who bound it.</param>
/// <param name="BoundAt">When.</param>
public sealed record IdentityView(string ObjectId, string TenantId, string Owner, string BoundBy, DateTimeOffset BoundAt);

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

using System.Globalization;
using System.Security.Cryptography;
using Azure.Data.Tables;

namespace Marketplace.Storage;

/// <summary>
/// API keys. A token is shown once, to its creator; stored is its SHA-256, under which the key is found. A second row lists the key under
/// its owner; it is written first, so that no valid key is unlisted.
/// </summary>
public sealed class KeyStore
{
    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const int MaxTokenChars = 256;
    private const string Bootstrap = "bootstrap";

    private readonly Table table;
    private readonly TimeProvider clock;
    private readonly RecentReads<ApiKeyRecord> recent;

    internal KeyStore(Table table, TimeProvider clock)
    {
        (this.table, this.clock, recent) = (table, clock, new(clock));
        table.Written += recent.Forget;
    }

    /// <summary>A new key with a new token: <c>hf_</c>, as Hub clients demand, and 37 random letters and digits.</summary>
    public async Task<(string Token, ApiKeyRecord Key)> CreateAsync(
        string owner, string name, KeyScope scope, DateTimeOffset? expiresAt, CancellationToken ct = default)
    {
        var token = "hf_" + RandomNumberGenerator.GetString(Alphabet, 37);
        var key = new ApiKeyRecord(Keys.NewId()[..16], owner, name, scope, clock.GetUtcNow(), expiresAt, Revoked: false);
        await AddAsync(token, key, ct);
        return (token, key);
    }

    /// <summary>
    /// Makes sure that a token given by the operator is a key; a key that exists is returned as it is. If it works, those that the operator gave before it end: an instance that still
    /// has an old token can't end the new one, which is younger.
    /// </summary>
    public async Task<ApiKeyRecord> EnsureAsync(string token, string owner, KeyScope scope, CancellationToken ct = default)
    {
        var hash = Keys.Hash(token);
        var made = new ApiKeyRecord(hash[..16], owner, Bootstrap, scope, clock.GetUtcNow(), ExpiresAt: null, Revoked: false);
        await AddAsync(token, made, ct);
        var key = Read((await table.GetAsync(Keys.KeyByToken(hash), ct))!);
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.KeysOf(owner)), ct))
        {
            if (!key.Revoked && IsOperators(row) && Read(row) is { Revoked: false } other && other.CreatedAt < key.CreatedAt)
                await RevokeAsync(owner, other.Id, ct);
        }

        return key;
    }

    /// <summary>The key of a token; null if it is unknown, expired or revoked.</summary>
    public async Task<ApiKeyRecord?> AuthenticateAsync(string? token, CancellationToken ct = default)
    {
        if (token is not { Length: > 0 and <= MaxTokenChars })
            return null;
        return await table.GetAsync(Keys.KeyByToken(Keys.Hash(token)), ct) is { } row && Read(row) is var key && key.IsValid(clock.GetUtcNow()) ? key : null;
    }

    /// <summary>
    /// The same for reading routes that are asked often: the key as it was at most a second ago, and not if this process has revoked it since. Tokens that are no key's are looked up each time.
    /// </summary>
    public async Task<ApiKeyRecord?> AuthenticateRecentAsync(string? token, CancellationToken ct = default)
    {
        if (token is not { Length: > 0 and <= MaxTokenChars })
            return null;
        var at = Keys.KeyByToken(Keys.Hash(token));
        var key = await recent.GetAsync(at, async () => await table.GetAsync(at, CancellationToken.None) is { } row ? Read(row) : null, keepAbsence: false, ct);
        return key?.IsValid(clock.GetUtcNow()) == true ? key : null;
    }

    /// <summary>All keys of an account, revoked and expired ones too, oldest first.</summary>
    public async Task<IReadOnlyList<ApiKeyRecord>> ListAsync(string owner, CancellationToken ct = default)
    {
        var keys = new List<ApiKeyRecord>();
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.KeysOf(owner)), ct))
            keys.Add(Read(row));
        return [.. keys.OrderBy(k => k.CreatedAt).ThenBy(k => k.Id, StringComparer.Ordinal)];
    }

    /// <summary>Ends a key at once; false if the account has no such key.</summary>
    public async Task<bool> RevokeAsync(string owner, string keyId, CancellationToken ct = default)
    {
        if (keyId.Length != 16 || !keyId.All(char.IsAsciiHexDigitLower) || await table.GetAsync(Keys.KeyOf(owner, keyId), ct) is not { } listed)
            return false;
        await MarkRevokedAsync(Keys.KeyByToken(listed.Text("TokenHash")), ct);
        await MarkRevokedAsync(listed.Key(), ct);
        return true;
    }

    /// <summary>Notes the day of a key's use, where keys are listed.</summary>
    public async Task NoteUseAsync(ApiKeyRecord key, DateOnly day, CancellationToken ct = default)
    {
        while (await table.GetAsync(Keys.KeyOf(key.Owner, key.Id), ct) is { } row && !(Read(row).LastUsedOn >= day))
        {
            row["LastUsedOn"] = day.ToString("O");
            // Guarded, so that a revocation meanwhile is not undone.
            if (await table.UpdateAsync(row, row.ETag, ct) != UpdateResult.Conflict)
                return;
        }
    }

    // The id of an operator's key follows from its token; others' are random, whatever their names.
    private static bool IsOperators(TableEntity row) => row.Text("Name") == Bootstrap && row.Text("TokenHash").StartsWith(row.Text("Id"), StringComparison.Ordinal);

    private async Task AddAsync(string token, ApiKeyRecord key, CancellationToken ct)
    {
        var hash = Keys.Hash(token);
        await table.AddAsync(Write(Keys.KeyOf(key.Owner, key.Id), key, hash), ct);
        await table.AddAsync(Write(Keys.KeyByToken(hash), key, hash), ct);
    }

    private async Task MarkRevokedAsync(Key key, CancellationToken ct)
    {
        while (await table.GetAsync(key, ct) is { } row)
        {
            row["Revoked"] = true;
            if (await table.UpdateAsync(row, row.ETag, ct) != UpdateResult.Conflict)
                return;
        }
    }

    private static TableEntity Write(Key at, ApiKeyRecord key, string tokenHash)
    {
        var row = Rows.New(at);
        row["Id"] = key.Id;
        row["Owner"] = key.Owner;
        row["Name"] = key.Name;
        row["Scope"] = key.Scope.ToString();
        row["CreatedAt"] = key.CreatedAt;
        row["ExpiresAt"] = key.ExpiresAt;
        row["Revoked"] = key.Revoked;
        row["TokenHash"] = tokenHash;
        return row;
    }

    private static ApiKeyRecord Read(TableEntity row) => new(
        row.Text("Id"), row.Text("Owner"), row.Text("Name"), row.Enum<KeyScope>("Scope"), row.Time("CreatedAt"),
        row.GetDateTimeOffset("ExpiresAt"), row.Flag("Revoked"),
        row.GetString("LastUsedOn") is { } day ? DateOnly.ParseExact(day, "O", CultureInfo.InvariantCulture) : null);
}

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

    private readonly Table table;
    private readonly TimeProvider clock;

    internal KeyStore(Table table, TimeProvider clock) => (this.table, this.clock) = (table, clock);

    /// <summary>A new key with a new token: <c>hf_</c>, as Hub clients demand, and 37 random letters and digits.</summary>
    public async Task<(string Token, ApiKeyRecord Key)> CreateAsync(
        string owner, string name, KeyScope scope, DateTimeOffset? expiresAt, CancellationToken ct = default)
    {
        var token = "hf_" + RandomNumberGenerator.GetString(Alphabet, 37);
        var key = new ApiKeyRecord(Keys.NewId()[..16], owner, name, scope, clock.GetUtcNow(), expiresAt, Revoked: false);
        await AddAsync(token, key, ct);
        return (token, key);
    }

    /// <summary>Makes sure that a token given by the operator is a key; a key that exists is returned as it is.</summary>
    public async Task<ApiKeyRecord> EnsureAsync(string token, string owner, KeyScope scope, CancellationToken ct = default)
    {
        var hash = Keys.Hash(token);
        var key = new ApiKeyRecord(hash[..16], owner, "bootstrap", scope, clock.GetUtcNow(), ExpiresAt: null, Revoked: false);
        await AddAsync(token, key, ct);
        return Read((await table.GetAsync(Keys.KeyByToken(hash), ct))!);
    }

    /// <summary>The key of a token; null if it is unknown, expired or revoked.</summary>
    public async Task<ApiKeyRecord?> AuthenticateAsync(string? token, CancellationToken ct = default)
    {
        if (token is not { Length: > 0 and <= MaxTokenChars })
            return null;
        return await table.GetAsync(Keys.KeyByToken(Keys.Hash(token)), ct) is { } row && Read(row) is { Revoked: false } key
            && !(key.ExpiresAt <= clock.GetUtcNow()) ? key : null;
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
        row.GetDateTimeOffset("ExpiresAt"), row.Flag("Revoked"));
}

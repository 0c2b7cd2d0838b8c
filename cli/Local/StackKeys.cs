using System.Security.Cryptography;
using System.Text.Json;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Local;

/// <summary>Keys of a local stack, kept beside its data so that they stay the same from one start to the next.</summary>
/// <param name="Admin">Admin key that the function app is given at start.</param>
/// <param name="Owner">Account of the user.</param>
/// <param name="User">Its key; null until it was made.</param>
internal sealed record StackKeys(string Admin, string Owner, string? User)
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>Reads the keys of a data folder, or makes an admin key for a new one.</summary>
    public static StackKeys Load(string data, string owner)
    {
        var path = FilePath(data);
        var kept = File.Exists(path) ? JsonSerializer.Deserialize<StackKeys>(File.ReadAllText(path), ApiJson.Options) : null;
        return kept switch
        {
            null => new StackKeys("hf_" + RandomNumberGenerator.GetString(Alphabet, 37), owner, null),
            _ when kept.Owner == owner => kept,
            _ => kept with { Owner = owner, User = null },
        };
    }

    /// <summary>Keeps the keys.</summary>
    public void Save(string data) => PrivateFile.Write(FilePath(data), JsonSerializer.Serialize(this, ApiJson.Options));

    private static string FilePath(string data) => Path.Combine(data, "keys.json");
}

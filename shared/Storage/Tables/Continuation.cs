using System.Buffers.Text;
using System.Text;

namespace Marketplace.Storage;

/// <summary>
/// Where a list goes on: the address of the last row that the caller has been allowed to see, and nothing else. The service's own tokens
/// are never handed out, because they name the next row, whoever owns it.
/// </summary>
internal static class Continuation
{
    private static readonly UTF8Encoding Strict = new(false, true);

    public static string Encode(Key last) => Base64Url.EncodeToString(Strict.GetBytes($"{last.Partition}\n{last.Row}"));

    /// <summary>Null for anything that <see cref="Encode"/> did not write.</summary>
    public static Key? Decode(string token)
    {
        if (token.Length > 2048 || !Base64Url.IsValid(token))
            return null;
        try
        {
            var parts = Strict.GetString(Base64Url.DecodeFromChars(token)).Split('\n');
            return parts.Length == 2 && parts.All(IsKey) ? new Key(parts[0], parts[1]) : null;
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            return null;
        }
    }

    private static bool IsKey(string text) => text.Length is > 0 and <= 400 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '|' or '.' or '_' or '-');
}

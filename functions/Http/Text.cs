using Marketplace.Core.Api;

namespace Marketplace.Functions.Http;

/// <summary>Names of enumeration members as the API spells them.</summary>
internal static class Text
{
    /// <summary>The member's name in camelCase.</summary>
    public static string Of<T>(T value)
        where T : struct, Enum => ApiJson.Name(value);

    /// <summary>The member that the API spells so; integers and other cases are refused.</summary>
    public static bool TryParse<T>(string? text, out T value)
        where T : struct, Enum
    {
        foreach (var candidate in Enum.GetValues<T>())
        {
            if (Of(candidate) == text)
            {
                value = candidate;
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>The spellings of all members, for a problem's text.</summary>
    public static string Choices<T>()
        where T : struct, Enum => string.Join(", ", Enum.GetValues<T>().Select(Of));
}

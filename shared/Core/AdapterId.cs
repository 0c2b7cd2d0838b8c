using System.Diagnostics.CodeAnalysis;

namespace Marketplace.Core;

/// <summary>
/// The name of an adapter, <c>owner/name</c>. Both parts follow the rule that Hub clients check before they send anything:
/// letters, digits, <c>.</c>, <c>_</c> and <c>-</c>, at most 96 characters, no <c>-</c> or <c>.</c> at either end, no <c>--</c>
/// or <c>..</c>, not ending in <c>.git</c>. Names are compared without case; the first publisher's spelling is kept for display.
/// </summary>
public readonly record struct AdapterId
{
    private static readonly HashSet<string> ReservedOwners =
        new(StringComparer.OrdinalIgnoreCase) { "api", "datasets", "spaces", "kernels", "buckets", "models", "openapi", "health", "public" };

    private AdapterId(string owner, string name) => (Owner, Name) = (owner, name);

    /// <summary>The account the adapter belongs to, as first spelled.</summary>
    public string Owner { get; }

    /// <summary>The adapter's name within its owner, as first spelled.</summary>
    public string Name { get; }

    /// <summary>Parses <c>owner/name</c>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out AdapterId id)
    {
        id = default;
        if (text is null)
            return false;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && TryCreate(text[..slash], text[(slash + 1)..], out id);
    }

    /// <summary>Parses <c>owner/name</c>.</summary>
    /// <exception cref="FormatException">The text breaks the naming rule.</exception>
    public static AdapterId Parse(string text) =>
        TryParse(text, out var id) ? id : throw new FormatException($"'{text}' is not an adapter name of the form owner/name.");

    /// <summary>Combines an owner and a name that were given apart.</summary>
    public static bool TryCreate(string? owner, string? name, out AdapterId id)
    {
        var valid = IsValidOwner(owner) && IsValidPart(name);
        id = valid ? new AdapterId(owner!, name!) : default;
        return valid;
    }

    /// <summary>Whether <paramref name="owner"/> may be the name of an account.</summary>
    public static bool IsValidOwner([NotNullWhen(true)] string? owner) => IsValidPart(owner) && !ReservedOwners.Contains(owner!);

    internal static bool IsValidPart([NotNullWhen(true)] string? part) =>
        part is { Length: >= 1 and <= 96 }
        && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
        && part[0] is not ('-' or '.')
        && part[^1] is not ('-' or '.')
        && !part.Contains("--", StringComparison.Ordinal)
        && !part.Contains("..", StringComparison.Ordinal)
        && !part.EndsWith(".git", StringComparison.OrdinalIgnoreCase);

    /// <summary>Two names are the same adapter when they differ only in case.</summary>
    public bool Equals(AdapterId other) =>
        string.Equals(Owner, other.Owner, StringComparison.OrdinalIgnoreCase)
        && string.Equals(Name, other.Name, StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(
        Owner is null ? 0 : StringComparer.OrdinalIgnoreCase.GetHashCode(Owner),
        Name is null ? 0 : StringComparer.OrdinalIgnoreCase.GetHashCode(Name));

    /// <inheritdoc/>
    public override string ToString() => $"{Owner}/{Name}";
}

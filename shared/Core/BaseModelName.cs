using System.Diagnostics.CodeAnalysis;

namespace Marketplace.Core;

/// <summary>
/// The name of a base model that says which model it is: <c>name</c> or <c>owner/name</c> under the rule of <see cref="AdapterId"/>.
/// What adapters carry instead of one, such as a path on the trainer's machine or nothing, is no identity: no such adapter belongs
/// to a library until its publisher confirms an alias. Names are compared without case.
/// </summary>
public readonly record struct BaseModelName
{
    private BaseModelName(string text) => Text = text;

    /// <summary>The name as first spelled.</summary>
    public string Text { get; }

    /// <summary>Parses a name; paths, URLs and names of more than two parts are refused.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out BaseModelName name)
    {
        var parts = text?.Split('/') ?? [];
        var valid = parts.Length is 1 or 2 && parts.All(AdapterId.IsValidPart);
        name = valid ? new BaseModelName(text!) : default;
        return valid;
    }

    /// <summary>Two names are the same model when they differ only in case.</summary>
    public bool Equals(BaseModelName other) => string.Equals(Text, other.Text, StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public override int GetHashCode() => Text is null ? 0 : StringComparer.OrdinalIgnoreCase.GetHashCode(Text);

    /// <inheritdoc/>
    public override string ToString() => Text ?? "";
}

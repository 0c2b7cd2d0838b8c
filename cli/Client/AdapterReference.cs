using Marketplace.Core;

namespace Marketplace.Cli.Client;

/// <summary>An adapter as named on the command line: <c>owner/name</c> or <c>owner/name@revision</c>.</summary>
internal readonly record struct AdapterReference(AdapterId Id, string? Revision)
{
    /// <summary>Parses the text, or ends the command.</summary>
    public static AdapterReference Parse(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var (name, revision) = at < 0 ? (text, null) : (text[..at], text[(at + 1)..]);
        if (!AdapterId.TryParse(name, out var id) || revision is "")
        {
            throw CliException.Usage($"'{text}' does not name an adapter.",
                "Write owner/name, or owner/name@revision with a version number, version id or tag. `marketplace list` shows what there is.");
        }

        return new AdapterReference(id, revision);
    }

    /// <summary>The route of the adapter.</summary>
    public string Route => $"adapters/{Id.Owner}/{Id.Name}";

    /// <summary>The route of the version.</summary>
    public string VersionRoute => $"{Route}/versions/{Uri.EscapeDataString(Revision ?? "main")}";

    /// <inheritdoc/>
    public override string ToString() => Revision is null ? Id.ToString() : $"{Id}@{Revision}";
}

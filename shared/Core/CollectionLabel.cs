using System.Globalization;
using System.Text;

namespace Marketplace.Core;

/// <summary>
/// A label of a collection's member as the name of a folder. Letters, digits, <c>.</c>, <c>_</c> and single <c>-</c> stay; <c>/</c> becomes <c>--</c>; everything else, and a <c>-</c> beside a <c>-</c> or <c>/</c>,
/// becomes <c>~</c> and four hexadecimal digits of its UTF-16 code. Two labels never give one folder: <c>--</c> comes of <c>/</c> alone and <c>~</c> of escapes alone.
/// </summary>
public static class CollectionLabel
{
    private const int MaxChars = 200;
    private static readonly HashSet<string> Taken = new([".", "..", ".git", ".cache", RepositoryPath.Card], StringComparer.OrdinalIgnoreCase);

    /// <summary>The folder: a segment that <see cref="RepositoryPath"/> takes, and not the name of the collection's own card.</summary>
    public static string ToFolder(string label)
    {
        // Escapes are ~ and four digits: these two forms are none.
        if (label.Length == 0)
            return "~";
        var folder = new StringBuilder();
        for (var i = 0; i < label.Length; i++)
        {
            if (label[i] == '/')
                folder.Append("--");
            else if (Stays(label, i) && !(i == 0 && Taken.Contains(label)))
                folder.Append(label[i]);
            else
                folder.Append(CultureInfo.InvariantCulture, $"~{(int)label[i]:x4}");
        }

        return folder.Length <= MaxChars ? folder.ToString() : $"{folder.ToString(0, MaxChars)}~.{Digest.Of(Encoding.Unicode.GetBytes(label)).Hex[..40]}";
    }

    private static bool Stays(string label, int at) =>
        label[at] == '-' ? !Joins(label, at - 1) && !Joins(label, at + 1) : char.IsAsciiLetterOrDigit(label[at]) || label[at] is '.' or '_';

    private static bool Joins(string label, int at) => at >= 0 && at < label.Length && label[at] is ('-' or '/');
}

using System.Globalization;
using System.Text;

namespace Marketplace.Core.Formats;

/// <summary>Writes the front matter of a model card: texts and lists of texts. Whatever a text contains, every YAML reader gives back the same text.</summary>
internal sealed class CardYaml
{
    // YAML 1.1 reads these as something else than texts.
    private static readonly HashSet<string> Words = new(["y", "n", "yes", "no", "on", "off", "true", "false", "null"], StringComparer.OrdinalIgnoreCase);

    private readonly StringBuilder text = new("---\n");

    /// <summary>Writes a text; nothing if there is none.</summary>
    public CardYaml Add(string name, string? value)
    {
        if (value is not null)
            text.Append(CultureInfo.InvariantCulture, $"{name}: {Scalar(value)}\n");
        return this;
    }

    /// <summary>Writes a list; nothing if it is empty.</summary>
    public CardYaml Add(string name, IReadOnlyCollection<string> values)
    {
        if (values.Count > 0)
            text.Append(CultureInfo.InvariantCulture, $"{name}:\n").AppendJoin("", values.Select(v => $"- {Scalar(v)}\n"));
        return this;
    }

    /// <summary>The front matter, with both fences.</summary>
    public override string ToString() => text + "---\n";

    /// <summary>A text as it stands where it can mean nothing else, otherwise in double quotes with every doubtful character escaped.</summary>
    public static string Scalar(string value)
    {
        if (value.Length > 0 && char.IsAsciiLetter(value[0]) && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '/' or '-' or '+') && !Words.Contains(value))
            return value;
        var quoted = new StringBuilder("\"");
        foreach (var c in value)
        {
            if (c is '"' or '\\')
                quoted.Append('\\').Append(c);
            else if (c is >= ' ' and <= '~')
                quoted.Append(c);
            else
                quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
        }

        return quoted.Append('"').ToString();
    }
}

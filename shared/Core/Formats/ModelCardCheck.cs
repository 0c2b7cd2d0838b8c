using System.Collections.Immutable;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Marketplace.Core.Formats;

/// <summary>
/// What is wrong with a README.md, for its author: errors that make its front matter unreadable, and advice on what it could say. Reading a published card is <see cref="ModelCard"/>'s business, which takes
/// anything; this is asked before one is sent.
/// </summary>
/// <param name="Errors">Why the front matter can't be read.</param>
/// <param name="Warnings">What to add.</param>
public sealed record ModelCardCheck(ImmutableArray<string> Errors, ImmutableArray<string> Warnings)
{
    private const string Fence = "---";

    private static readonly (string Key, string Advice)[] Wanted =
    [
        ("base_model", "Say which model the adapter belongs to: base_model: owner/name."),
        ("license", "Say under which licence the adapter may be used: license: apache-2.0, for example."),
    ];

    /// <summary>Checks a whole README.md.</summary>
    /// <param name="readme">Its text.</param>
    public static ModelCardCheck Of(string readme)
    {
        var text = readme.ReplaceLineEndings("\n").TrimStart('\uFEFF');
        if (!text.StartsWith(Fence + "\n", StringComparison.Ordinal))
            return new([], ["There is no front matter: begin with a line of ---, then YAML, then another line of ---."]);
        var end = text.IndexOf("\n" + Fence, Fence.Length, StringComparison.Ordinal);
        if (end < 0)
            return Wrong("The front matter does not end: a line of --- is missing.");
        if (end > ModelCard.MaxLength)
            return Wrong($"The front matter has {end} characters; up to {ModelCard.MaxLength} are read.");
        try
        {
            return Read(text[(Fence.Length + 1)..(end + 1)]);
        }
        catch (YamlException e)
        {
            return Wrong($"The front matter is no YAML: line {e.Start.Line + 1}: {e.Message}");
        }
    }

    // Events, not nodes: nothing grows with what aliases stand for, nor with depth.
    private static ModelCardCheck Read(string yaml)
    {
        var parser = new Parser(new StringReader(yaml));
        var (depth, isKey, root) = (0, true, false);
        var keys = new HashSet<string>(StringComparer.Ordinal);
        while (parser.MoveNext())
        {
            switch (parser.Current)
            {
                case AnchorAlias alias:
                    return Wrong($"The front matter has an alias, *{alias.Value}, on line {alias.Start.Line + 1}; none are read.");
                case MappingStart or SequenceStart when depth == 0 && !root:
                    if (parser.Current is not MappingStart)
                        return Wrong("The front matter is a list; it has to be a mapping, such as 'license: mit'.");
                    (root, depth) = (true, 1);
                    break;
                case Scalar scalar when depth == 0:
                    return scalar.Value.Length == 0 ? Advise(keys) : Wrong("The front matter is a text; it has to be a mapping, such as 'license: mit'.");
                case Scalar scalar when depth == 1:
                    if (isKey && !keys.Add(scalar.Value))
                        return Wrong($"'{scalar.Value}' occurs twice in the front matter, on line {scalar.Start.Line + 1} for the second time.");
                    isKey = !isKey;
                    break;
                case MappingStart or SequenceStart:
                    depth++;
                    break;
                case MappingEnd or SequenceEnd:
                    depth--;
                    // A value that is a collection has ended.
                    if (depth == 1)
                        isKey = !isKey;
                    break;
            }
        }

        return Advise(keys);
    }

    private static ModelCardCheck Advise(HashSet<string> keys) => new([], [.. Wanted.Where(w => !keys.Contains(w.Key)).Select(w => w.Advice)]);

    private static ModelCardCheck Wrong(string error) => new([error], []);
}

using System.Collections.Immutable;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace Marketplace.Core.Formats;

/// <summary>What the front matter of a README.md says about an adapter. It is a stranger's text: whatever is not as expected counts as absent.</summary>
/// <param name="License">An SPDX id or one of the Hub's names for a licence.</param>
/// <param name="Tags">Words to find the adapter by.</param>
public sealed record ModelCard(string? License, ImmutableArray<string> Tags)
{
    /// <summary>Bytes of front matter that are read; real ones have a few hundred.</summary>
    public const int MaxLength = 64 * 1024;

    private const int MaxTags = 50;
    private const int MaxText = 100;
    private const string Fence = "---";

    /// <summary>A card that says nothing.</summary>
    public static ModelCard Empty { get; } = new(null, []);

    /// <summary>Reads the front matter of <paramref name="readme"/>: the YAML between two lines of <c>---</c> at its top.</summary>
    public static ModelCard Parse(string readme)
    {
        if (FrontMatter(readme) is not { } yaml || HasAliases(yaml))
            return Empty;
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(yaml));
            return stream.Documents is [{ RootNode: YamlMappingNode root }, ..]
                ? new ModelCard(Text(root, "license"), Texts(root, "tags"))
                : Empty;
        }
        catch (YamlException)
        {
            return Empty;
        }
    }

    private static string? FrontMatter(string readme)
    {
        var text = readme.ReplaceLineEndings("\n");
        if (!text.StartsWith(Fence + "\n", StringComparison.Ordinal))
            return null;
        var end = text.IndexOf("\n" + Fence, Fence.Length, StringComparison.Ordinal);
        return end < 0 || end > MaxLength ? null : text[Fence.Length..end];
    }

    // An alias lets a few lines stand for gigabytes of nodes, and no card needs one.
    private static bool HasAliases(string yaml)
    {
        try
        {
            var parser = new Parser(new StringReader(yaml));
            while (parser.MoveNext())
            {
                if (parser.Current is AnchorAlias)
                    return true;
            }

            return false;
        }
        catch (YamlException)
        {
            return true;
        }
    }

    private static string? Text(YamlMappingNode root, string key) =>
        root.Children.TryGetValue(key, out var node) && node is YamlScalarNode { Value: { Length: > 0 and <= MaxText } value } ? value : null;

    private static ImmutableArray<string> Texts(YamlMappingNode root, string key) =>
        root.Children.TryGetValue(key, out var node) && node is YamlSequenceNode list
            ? [.. list.Children.OfType<YamlScalarNode>().Select(n => n.Value).OfType<string>().Where(v => v.Length is > 0 and <= MaxText).Distinct(StringComparer.Ordinal).Take(MaxTags)]
            : [];
}

using System.Collections.Immutable;

namespace Marketplace.Core.Formats;

/// <summary>
/// What the front matter of a README.md says about an adapter, in the members that the Hub's model cards have. It is a stranger's text: whatever is not as expected counts as absent, and everything is bounded.
/// </summary>
/// <param name="License">An SPDX id or one of the Hub's names for a licence.</param>
/// <param name="Tags">Words to find the adapter by.</param>
public sealed record ModelCard(string? License, ImmutableArray<string> Tags)
{
    /// <summary>Characters of front matter that are read; real ones have a few hundred.</summary>
    public const int MaxLength = 64 * 1024;

    /// <summary>Languages, as codes: <c>language</c>, a text or a list.</summary>
    public ImmutableArray<string> Languages { get; init; } = [];

    /// <summary>Datasets it was trained on: <c>datasets</c>, a text or a list.</summary>
    public ImmutableArray<string> Datasets { get; init; } = [];

    /// <summary>The task, in the Hub's words: <c>pipeline_tag</c>.</summary>
    public string? PipelineTag { get; init; }

    /// <summary>The library that loads it: <c>library_name</c>.</summary>
    public string? LibraryName { get; init; }

    /// <summary>Base models as the card spells them: <c>base_model</c>, a text or a list.</summary>
    public ImmutableArray<string> BaseModels { get; init; } = [];

    /// <summary>A card that says nothing.</summary>
    public static ModelCard Empty { get; } = new(null, []);

    /// <summary>Reads the front matter of <paramref name="readme"/>: the YAML between two lines of <c>---</c> at its top. One with errors says nothing.</summary>
    public static ModelCard Parse(string readme) => ModelCardReader.Read(readme).Card;

    /// <summary>What is wrong with the front matter of <paramref name="readme"/>: errors that keep it from being read at all, warnings of members that count as absent.</summary>
    public static ModelCardCheck Check(string readme) => ModelCardReader.Read(readme).Check;

    /// <summary>
    /// Whether the card names base models, and none of them is <paramref name="baseModel"/>, compared without case and by the last part where one of the two has no owner. What is no name, such as a path, contradicts nothing.
    /// </summary>
    public bool Contradicts(string? baseModel)
    {
        if (!BaseModelName.TryParse(baseModel, out var name))
            return false;
        var named = BaseModels.Where(m => BaseModelName.TryParse(m, out _)).ToList();
        return named.Count > 0 && !named.Any(m => Same(m, name.Text));
    }

    private static bool Same(string a, string b) =>
        string.Equals(a, b, StringComparison.OrdinalIgnoreCase)
        || ((!a.Contains('/', StringComparison.Ordinal) || !b.Contains('/', StringComparison.Ordinal)) && string.Equals(Last(a), Last(b), StringComparison.OrdinalIgnoreCase));

    private static string Last(string name) => name[(name.LastIndexOf('/') + 1)..];
}

/// <summary>What was found in a model card.</summary>
/// <param name="Errors">Why its front matter can't be read.</param>
/// <param name="Warnings">What of it counts as absent, and why.</param>
public sealed record ModelCardCheck(ImmutableArray<ModelCardNote> Errors, ImmutableArray<ModelCardNote> Warnings);

/// <summary>One finding.</summary>
/// <param name="Line">Line of the README.md, from 1.</param>
/// <param name="Message">What is the matter.</param>
public sealed record ModelCardNote(int Line, string Message);

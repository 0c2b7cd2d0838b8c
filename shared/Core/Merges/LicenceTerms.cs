using System.Collections.Immutable;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Marketplace.Core.Merges;

/// <summary>Whether something is allowed.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Permission>))]
public enum Permission
{
    /// <summary>Yes.</summary>
    [JsonStringEnumMemberName("yes")]
    Yes,

    /// <summary>Yes, within conditions that the licence lists: uses it excludes, or users it excludes.</summary>
    [JsonStringEnumMemberName("conditions")]
    Conditions,

    /// <summary>Nobody has said.</summary>
    [JsonStringEnumMemberName("unknown")]
    Unknown,

    /// <summary>No.</summary>
    [JsonStringEnumMemberName("no")]
    No,
}

/// <summary>What a licence says, as far as it matters to whoever combines adapters.</summary>
/// <param name="Id">As the Hub spells it.</param>
/// <param name="Commercial">Commercial use.</param>
/// <param name="Derivatives">Publishing what was made from it; a merge is such a thing.</param>
/// <param name="Attribution">Whether its authors must be named, or its notices kept.</param>
/// <param name="ShareAlike">Whether what is made from it must be under the same licence.</param>
/// <param name="PassOn">Whether its text and its limits on use must go along, without being the licence of the whole.</param>
/// <param name="AlsoUnder">Licences under which what is made from it may be published instead.</param>
public sealed partial record LicenceTerms(
    string Id, Permission Commercial, Permission Derivatives, bool Attribution, bool ShareAlike, bool PassOn, ImmutableArray<string> AlsoUnder)
{
    private static readonly string[] Permissive =
    [
        "apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "isc", "ncsa", "zlib", "bsl-1.0", "ms-pl", "afl-3.0", "ecl-2.0",
        "artistic-2.0", "odc-by", "etalab-2.0", "cdla-permissive-1.0", "cdla-permissive-2.0",
    ];

    private static readonly string[] Free = ["cc0-1.0", "unlicense", "pddl", "wtfpl"];

    // Licences of models, with lists of uses or users that they exclude; their text goes along with whatever is made from the model.
    private static readonly string[] Conditional =
    [
        "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma", "openrail", "openrail++", "creativeml-openrail-m", "bigscience-openrail-m",
        "bigscience-bloom-rail-1.0", "bigcode-openrail-m",
    ];

    // What is made from the first may also be published under the others, as their texts say (section 13 of the GNU licences, section 3 of the LGPL, Creative Commons' list).
    private static readonly ImmutableDictionary<string, ImmutableArray<string>> Copyleft = new Dictionary<string, ImmutableArray<string>>
    {
        ["gpl-3.0"] = ["agpl-3.0"],
        ["agpl-3.0"] = [],
        ["gpl-2.0"] = [],
        ["lgpl-3.0"] = ["gpl-3.0", "agpl-3.0"],
        ["lgpl-2.1"] = ["gpl-2.0", "gpl-3.0", "agpl-3.0"],
        ["mpl-2.0"] = ["gpl-2.0", "lgpl-2.1", "lgpl-3.0", "gpl-3.0", "agpl-3.0"],
        ["osl-3.0"] = [],
        ["odbl"] = [],
        ["cdla-sharing-1.0"] = [],
    }.ToImmutableDictionary(StringComparer.Ordinal);

    /// <summary>Whether commercial use is limited beyond what a free licence limits.</summary>
    internal bool Restricts => Commercial != Permission.Yes;

    /// <summary>What is known of a licence by its name on a model card; null if nothing is.</summary>
    /// <param name="name">A name as the Hub spells it, in any case; <c>other</c>, <c>unknown</c> and names that are not in the list say nothing.</param>
    public static LicenceTerms? Find(string? name)
    {
        var id = name?.Trim().ToLowerInvariant() ?? "";
        return Permissive.Contains(id) ? new(id, Permission.Yes, Permission.Yes, true, false, false, [])
            : Free.Contains(id) ? new(id, Permission.Yes, Permission.Yes, false, false, false, [])
            : Conditional.Contains(id) ? new(id, Permission.Conditions, Permission.Conditions, true, false, true, [])
            : Copyleft.TryGetValue(id, out var also) ? new(id, Permission.Yes, Permission.Yes, true, true, false, also)
            : CreativeCommons().Match(id) is { Success: true } match ? OfCreativeCommons(id, match)
            : null;
    }

    private static LicenceTerms OfCreativeCommons(string id, Match match)
    {
        var (nonCommercial, alike) = (match.Groups["nc"].Success, match.Groups["sa"].Success);
        ImmutableArray<string> also = !alike ? []
            : match.Groups["version"].Value == "4.0" ? (nonCommercial ? [] : ["gpl-3.0"])
            : [$"cc-by{(nonCommercial ? "-nc" : "")}-sa-4.0"];
        return new(
            id, nonCommercial ? Permission.No : Permission.Yes, match.Groups["nd"].Success ? Permission.No : Permission.Yes, Attribution: true, alike, PassOn: false, also);
    }

    [GeneratedRegex(@"^cc-by(?<nc>-nc)?((?<sa>-sa)|(?<nd>-nd))?-(?<version>2\.0|2\.5|3\.0|4\.0)$", RegexOptions.CultureInvariant)]
    private static partial Regex CreativeCommons();
}

using System.Collections.Immutable;

namespace Marketplace.Core.Merges;

/// <summary>The licence of one parent.</summary>
/// <param name="Adapter">The parent.</param>
/// <param name="Licence">What its model card says; null if it says nothing.</param>
/// <param name="Terms">What is known of that licence; null if nothing is.</param>
public sealed record ParentLicence(string Adapter, string? Licence, LicenceTerms? Terms);

/// <summary>Two licences that can't both be kept.</summary>
/// <param name="First">One.</param>
/// <param name="Second">The other; the same for a licence that by itself forbids derivatives.</param>
/// <param name="Reason">Why, in words.</param>
public sealed record LicenceConflict(string First, string Second, string Reason);

/// <summary>
/// What the licences of the parents leave for a combination of them. It repeats what well-known licences say about themselves and is not legal advice; the
/// licence of the base model counts as well, and is not looked at.
/// </summary>
/// <param name="Parents">The licence of each parent.</param>
/// <param name="Commercial">Commercial use: the strictest of all parents, and unknown if one is unknown and none forbids it.</param>
/// <param name="Derivatives">Publishing the combination: likewise, and no where licences conflict.</param>
/// <param name="ShareAlike">Licences of which the combination must have one: more than one where they may stand in for each other; empty where none asks for it.</param>
/// <param name="Attribution">Parents whose authors must be named or whose notices must be kept.</param>
/// <param name="PassOn">Licences whose text and limits on use must go along.</param>
/// <param name="Conflicts">Licences that can't be kept together.</param>
/// <param name="Unknown">Parents whose licence is unknown.</param>
/// <param name="Summary">The same in words.</param>
public sealed record CombinedLicence(
    ImmutableArray<ParentLicence> Parents, Permission Commercial, Permission Derivatives, ImmutableArray<string> ShareAlike,
    ImmutableArray<string> Attribution, ImmutableArray<string> PassOn, ImmutableArray<LicenceConflict> Conflicts, ImmutableArray<string> Unknown, string Summary);

/// <summary>What licences allow when adapters are combined.</summary>
public static class Licences
{
    /// <summary>Combines the licences of parents.</summary>
    /// <param name="parents">Each parent with the licence that its model card names.</param>
    public static CombinedLicence Combine(IReadOnlyList<(string Adapter, string? Licence)> parents)
    {
        ImmutableArray<ParentLicence> all = [.. parents.Select(p => new ParentLicence(p.Adapter, p.Licence, LicenceTerms.Find(p.Licence)))];
        var known = all.Select(p => p.Terms).OfType<LicenceTerms>().DistinctBy(t => t.Id).OrderBy(t => t.Id, StringComparer.Ordinal).ToList();
        ImmutableArray<LicenceConflict> conflicts = [.. Conflicts(known)];
        var alike = known.Where(t => t.ShareAlike).ToList();
        var combined = new CombinedLicence(
            all,
            Strictest(all, t => t.Commercial),
            conflicts.IsEmpty ? Strictest(all, t => t.Derivatives) : Permission.No,
            conflicts.IsEmpty ? [.. Common(alike)] : [.. alike.Select(t => t.Id)],
            [.. all.Where(p => p.Terms is { Attribution: true }).Select(p => p.Adapter)],
            [.. known.Where(t => t.PassOn).Select(t => t.Id)],
            conflicts,
            [.. all.Where(p => p.Terms is null).Select(p => p.Adapter)],
            "");
        return combined with { Summary = Describe(combined) };
    }

    private static Permission Strictest(IEnumerable<ParentLicence> parents, Func<LicenceTerms, Permission> permission) =>
        parents.Select(p => p.Terms is { } terms ? permission(terms) : Permission.Unknown).DefaultIfEmpty(Permission.Unknown).Max();

    private static IEnumerable<LicenceConflict> Conflicts(List<LicenceTerms> known)
    {
        foreach (var terms in known.Where(t => t.Derivatives == Permission.No))
            yield return new(terms.Id, terms.Id, $"{terms.Id} does not allow anything made from the work to be published, and a merge is made from it.");
        foreach (var (terms, index) in known.Select((terms, index) => (terms, index)))
        {
            foreach (var other in known.Skip(index + 1))
            {
                if (terms.ShareAlike && other.ShareAlike && !Common([terms, other]).Any())
                    yield return new(terms.Id, other.Id, $"{terms.Id} and {other.Id} both demand to be the licence of the result.");
                else if ((Narrower(terms, other) ?? Narrower(other, terms)) is { } reason)
                    yield return new(terms.Id, other.Id, reason);
            }
        }

        // Pairs may agree where all together don't.
        var alike = known.Where(t => t.ShareAlike).ToList();
        if (alike.Count > 2 && !Common(alike).Any() && alike.All(a => alike.All(b => a == b || Common([a, b]).Any())))
            yield return new(alike[0].Id, alike[^1].Id, $"There is no licence that {string.Join(", ", alike.Select(a => a.Id))} all allow for the result.");
    }

    // A share-alike licence lets nobody add limits that it has not itself.
    private static string? Narrower(LicenceTerms alike, LicenceTerms other) =>
        alike is { ShareAlike: true, Restricts: false } && other.Restricts
            ? $"{alike.Id} allows no limits on use beyond its own, and {other.Id} has such limits."
            : alike is { ShareAlike: true, Restricts: true } && other.PassOn
            ? $"{alike.Id} demands to be the licence of the result, and {other.Id} adds limits of its own."
            : (alike.Id, other.Id) == ("gpl-2.0", "apache-2.0")
            ? "gpl-2.0 does not admit the patent terms of apache-2.0."
            : null;

    // The licences that each of these may be published under.
    private static IEnumerable<string> Common(List<LicenceTerms> alike) => alike.Count == 0 ? [] :
        alike.Select(t => Closure(t.Id)).Aggregate((a, b) => a.Intersect(b).ToHashSet(StringComparer.Ordinal)).Order(StringComparer.Ordinal);

    private static HashSet<string> Closure(string id)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        var next = new Queue<string>([id]);
        while (next.TryDequeue(out var licence))
        {
            if (found.Add(licence) && LicenceTerms.Find(licence) is { } terms)
                terms.AlsoUnder.ToList().ForEach(next.Enqueue);
        }

        return found;
    }

    private static string Describe(CombinedLicence c)
    {
        var sentences = new List<string>();
        if (c.Unknown is [_, ..])
            sentences.Add($"The licence of {List(c.Unknown)} is unknown, so what the combination allows is unknown too: ask its author.");
        sentences.AddRange(c.Conflicts.Select(x => x.Reason));
        if (!c.Conflicts.IsEmpty)
            sentences.Add("The result can't be published without breaking one of them.");
        sentences.Add(c.Commercial switch
        {
            Permission.Yes => "Commercial use is allowed.",
            Permission.Conditions => "Commercial use is allowed under conditions.",
            Permission.No => "Commercial use is not allowed.",
            _ => "Whether commercial use is allowed is unknown.",
        });
        if (c.Conflicts.IsEmpty && c.ShareAlike is [_, ..])
            sentences.Add($"The result must be published under {string.Join(" or ", c.ShareAlike)}.");
        if (c.PassOn is [_, ..])
            sentences.Add($"The texts and limits on use of {List(c.PassOn)} must go along.");
        if (c.Attribution is [_, ..])
            sentences.Add($"The authors of {List(c.Attribution)} must be named and their notices kept.");
        sentences.Add("The licence of the base model counts as well. This is not legal advice.");
        return string.Join(' ', sentences);
    }

    private static string List(ImmutableArray<string> names) =>
        names.Length == 1 ? names[0] : $"{string.Join(", ", names[..^1])} and {names[^1]}";
}
